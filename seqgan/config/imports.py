"""Names in settings that make Python import something: code of the user's own.

Settings from a user's flags or ``--config`` may import; those of a run's folder, which may be a
stranger's, only with ``--trust`` or if the command names the same thing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dotted import is_dotted
from .names import TOKENIZER_FILES
from .rewards import FunctionTerm, reward_terms
from .rewards.stages import reward_stages

__all__ = ["dotted_names"]

PLACES: dict[str, tuple[str, ...]] = {
    "corpus.tokenizer": TOKENIZER_FILES,
    "evaluation.embedder": (),
    "evaluation.metrics": (),
    "critic.augment": (),
    "constraint": (),
}
"""Settings besides the rewards that take a dotted path, with the ends that make a name a file's."""


def dotted_names(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings of a run, as its file holds them, that are dotted paths: names and paths.

    Args:
        content: nested settings.

    Raises:
        ConfigError: its rewards or stages cannot be read.
    """
    found = []
    for place, files in PLACES.items():
        group, _, name = place.rpartition(".")
        inner = content.get(group) if group else content
        value = inner.get(name) if isinstance(inner, Mapping) else None
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and is_dotted(each) and not each.endswith(files):
                found.append((place, each))
    # Parsed as the run itself would: a term has a short form, with a weight or without.
    terms = [("rewards", x) for x in reward_terms(content.get("rewards") or [{}])]
    for stage in reward_stages(content.get("stages") or []):
        terms += [("stages", x) for x in stage.rewards]
    return found + [(place, x.name) for place, x in terms if isinstance(x, FunctionTerm)]
