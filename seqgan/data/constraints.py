"""Constraints of samples: which tokens may follow a prefix, in training as in sampling.

A constraint is made of a codec by a function, one of `CONSTRAINTS` or the user's own, and is called
with N prefixes of token ids, EOS and BOS not among them; it returns bool [N, V].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rollout import Constraint, Policy, Sequences

from ..config.components import named
from ..config.constraints import CONSTRAINTS, check_constraint
from ..config.dotted import import_dotted
from ..errors import ConfigError
from .codec import Codec
from .dataset import Dataset
from .grammar.policy import GrammarPolicy

__all__ = ["build_constraint", "check_allowed", "grammar", "own_constraint", "possible_under"]

FLAG = "--constraint"
KEPT = 1 << 15
"""Prefixes whose answers are kept; then all are forgotten."""


def build_constraint(name: str, codec: Codec) -> Constraint | None:
    """The constraint that a setting names; None for "none".

    Args:
        name: of `CONSTRAINTS`, or a dotted path of a function that takes the codec and returns the
            constraint.
        codec: of the data.

    Raises:
        ConfigError: it cannot be imported, or does not go with these data.
        MissingExtraError: it needs a package that is not installed.
    """
    check_constraint(FLAG, name)
    if name == "none":
        return None
    if name in CONSTRAINTS:
        made: Constraint = named(CONSTRAINTS[name])(codec)
        return _checked(name, made, codec)
    found = import_dotted(name, FLAG)
    try:
        made = found(codec)
    except Exception as error:
        raise ConfigError(
            f"{FLAG} {name}: calling it with the codec failed: {type(error).__name__}: {error}"
        ) from error
    if not callable(made):
        raise ConfigError(
            f"{FLAG} {name}: it returned {made!r:.60}, no function of prefixes; it is called once, "
            "with the codec, and returns constraint(prefixes) -> bool [N, V]"
        )
    return _checked(name, made, codec)


def own_constraint(
    name: str, given: str | None, codec: Codec, owner: str = "the model"
) -> Constraint | None:
    """The constraint of a trained model, which may be a stranger's and alone never imports.

    Args:
        name: the setting that it was trained with.
        given: the user's own, which goes before it; None: there is none.
        codec: of its data.
        owner: what was trained, for the message.

    Raises:
        ConfigError: it is not built in, or as `build_constraint`.
        MissingExtraError: it needs a package that is not installed.
    """
    if given is None and name not in CONSTRAINTS:
        raise ConfigError(
            f"{owner}: the constraint {name!r} is not built in; name it with {FLAG} to use it, or "
            f"sample without it: {FLAG} none"
        )
    return build_constraint(name if given is None else given, codec)


def _checked(name: str, constraint: Constraint, codec: Codec) -> Constraint:
    """The constraint, whose errors say what was asked and what came."""
    size = codec.spec.vocab_size

    def checked(prefixes: list[list[int]]) -> Any:
        try:
            found = np.asarray(constraint(prefixes)) != 0
        except Exception as error:
            raise ConfigError(
                f"{FLAG} {name} failed for {_shown(codec, prefixes[0])} and {len(prefixes) - 1} "
                f"more: {type(error).__name__}: {error}"
            ) from error
        if found.shape != (len(prefixes), size):
            raise ConfigError(
                f"{FLAG} {name}: returned {list(found.shape)} for {len(prefixes)} prefixes and "
                f"{size} tokens; expected bool [{len(prefixes)}, {size}]"
            )
        if (empty := ~found.any(1)).any():
            first = prefixes[int(empty.nonzero()[0][0])]
            raise ConfigError(
                f"{FLAG} {name}: allows no token after {_shown(codec, first)}; allow EOS (id "
                f"{codec.spec.eos_id}) where nothing else can follow"
            )
        return found

    return checked


def _shown(codec: Codec, prefix: list[int]) -> str:
    """A prefix as text, in quotes."""
    (text,) = codec.texts(Sequences.from_lists([prefix or [codec.spec.pad_id]], codec.spec.pad_id))
    return repr(text if prefix else "")


def check_allowed(data: Dataset) -> None:
    """Requires real sequences to keep the constraint: otherwise they have no likelihood under it.

    Raises:
        ConfigError: a sequence of the validation or test split does not.
    """
    if data.constraint is None:
        return
    for name in ("validation", "test"):
        split: Sequences = getattr(data, name)
        for row, tokens in enumerate(split.to_lists()):
            prefixes = [tokens[:place] for place in range(len(tokens))]
            allowed = np.asarray(data.constraint(prefixes))
            if not allowed[range(len(tokens)), tokens].all():
                (text,) = data.codec.texts(split.select(slice(row, row + 1)))
                raise ConfigError(
                    f"{FLAG}: it forbids the {name} sequence {text!r}, which then has no "
                    "likelihood to compare models by; leave such sequences out of the data, or "
                    "train with rewards that need no discriminator"
                )


def grammar(codec: Codec) -> Constraint:
    """The constraint of the caption grammar.

    Raises:
        ConfigError: the tokens are not those of the grammar.
    """
    policy = GrammarPolicy(max_length=codec.spec.max_length)
    vocabulary = getattr(codec, "vocabulary", None)
    if vocabulary is None or list(vocabulary.tokens) != list(policy.tokens):
        raise ConfigError(f"{FLAG} grammar: goes with --data grammar alone")
    return possible_under(policy)


def possible_under(policy: Policy) -> Constraint:
    """The constraint of all that a policy, such as a grammar, gives any probability."""
    known: dict[tuple[int, ...], Any] = {}

    def constraint(prefixes: list[list[int]]) -> Any:
        if len(known) > KEPT:
            known.clear()
        new = [prefix for prefix in prefixes if tuple(prefix) not in known]
        if new:
            rows = [[*prefix, policy.pad_id] for prefix in new]  # the last one is not read
            logits = policy.logits(Sequences.from_lists(rows, policy.pad_id))
            found = ~logits[range(len(new)), [len(prefix) for prefix in new]].isneginf().numpy()
            known.update(zip(map(tuple, new), found, strict=True))
        return np.stack([known[tuple(prefix)] for prefix in prefixes])

    return constraint
