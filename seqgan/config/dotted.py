"""Objects of the user's own, named by a dotted path."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Any

from ..errors import ConfigError, did_you_mean

__all__ = ["import_dotted", "is_dotted"]

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*(\.[^\W\d]\w*)*")


def is_dotted(name: str) -> bool:
    """Tells if a name has the form ``package.module:Name`` or ``package.module.Name``."""
    return _DOTTED.fullmatch(name) is not None


def import_dotted(name: str, flag: str) -> Any:
    """The object at a dotted path; the working directory is searched last.

    Args:
        name: ``package.module:Name`` or ``package.module.Name``.
        flag: the setting that names it, for messages.

    Raises:
        ConfigError: the module cannot be imported, or does not hold the object.
    """
    if ":" in name:
        module_name, _, attributes = name.partition(":")
    else:
        module_name, _, attributes = name.rpartition(".")
    here = os.getcwd()
    searched = here in sys.path or "" in sys.path
    if not searched:
        sys.path.append(here)
    try:
        found = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"{flag} {name}: cannot import {module_name!r}: {type(error).__name__}: {error}"
        ) from error
    finally:
        if not searched:
            sys.path.remove(here)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise ConfigError(
                f"{flag} {name}: {module_name!r} has no {attribute!r}"
                f"{did_you_mean(attribute, dir(found))}"
            )
        found = getattr(found, attribute)
    return found
