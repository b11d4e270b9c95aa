"""Kinds of values: if a value fits a type hint, and what the hint is called in messages."""

from __future__ import annotations

import numbers
import os
import types
from typing import Any, Union, get_args, get_origin

__all__ = ["as_plain", "kind_name", "of_kind"]

WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "NoneType": "none",
}


def of_kind(value: Any, hint: Any) -> bool:
    """Tells if a plain value fits a hint: str, int, float, bool, None, lists and unions of them.

    A whole number is a number too, and a list serves as a tuple; true is no number.
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(of_kind(value, each) for each in get_args(hint))
    if origin in (list, tuple):
        inner = get_args(hint)[0]
        return isinstance(value, (list, tuple)) and all(of_kind(each, inner) for each in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def as_plain(value: Any) -> Any:
    """A value as settings files hold it: paths as text, numpy's numbers as Python's, lists."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (list, tuple)):
        return [as_plain(each) for each in value]
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return float(value)
    return value


def kind_name(hint: Any) -> str:
    """A hint in words."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(kind_name(each) for each in get_args(hint))
    if origin in (list, tuple):
        return f"a list, each part {kind_name(get_args(hint)[0])}"
    return WORDS.get(getattr(hint, "__name__", ""), str(hint))
