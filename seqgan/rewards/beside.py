"""Rewards beside samples of a trained model, which has neither data nor other models with it.

Shapes: B sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rollout import Sequences

from ..config import RewardConfig, RewardTerm
from ..config.rewards import TERMS, FunctionTerm, reward_terms
from ..config.settings import settings_from
from ..data.codec import Codec
from ..data.conditions import Conditions
from ..errors import ConfigError
from .build import made_of
from .ingredients import Ingredients
from .terms import of_sequences

__all__ = ["RewardsBeside", "terms_of_run"]


class RewardsBeside:
    """Values of reward terms that need nothing but the sequences.

    Args:
        terms: the terms.
        codec: token ids to text.
        conditions: what sequences can be asked for by.
        config: how terms are joined.

    Raises:
        ConfigError: a term needs data or a model of the training, or cannot be built.
    """

    def __init__(
        self,
        terms: Sequence[RewardTerm],
        codec: Codec,
        conditions: Conditions,
        config: RewardConfig,
    ):
        for term in terms:
            if not term.alone:
                able = [name for name, kind in TERMS.items() if kind.alone is True]
                raise ConfigError(
                    f"--rewards: {term.name} needs data or models of the training, which samples "
                    f"come without; give {', '.join(able)}, bleu with references, or a function"
                )
        nothing = Sequences.from_lists([], codec.spec.pad_id)
        given = Ingredients(nothing, codec, 0, conditions=conditions, config=config)
        self._terms = made_of(terms, given)

    def values(self, sequences: Sequences) -> dict[str, Tensor]:
        """The values [B] of each term by name, neither weighted nor shaped; NaN: it abstains."""
        found = self._terms.judge(sequences)
        return {
            term.name: of_sequences(each).cpu()
            for term, each in zip(self._terms.terms, found, strict=True)
        }

    def __call__(self, sequences: Sequences) -> Tensor:
        """The reward [B], of the weighted and shaped terms, as in a step of these samples."""
        values = self._terms.judge(sequences)
        self._terms.begin([of_sequences(each) for each in values])
        return of_sequences(self._terms.joined(sequences, values))


def terms_of_run(settings: Mapping[str, Any]) -> tuple[list[RewardTerm], RewardConfig]:
    """The terms of a run's reward that can stand beside samples, and how they are joined.

    Not among them are functions: a run may be a stranger's, and never imports.

    Args:
        settings: of the run, as its folder keeps them.
    """
    terms = reward_terms(settings["rewards"]) if settings.get("rewards") else []
    kept = [each for each in terms if each.alone and not isinstance(each, FunctionTerm)]
    mean = (settings.get("reward") or {}).get("mean", RewardConfig.mean)
    return kept, settings_from(RewardConfig, {"mean": mean})
