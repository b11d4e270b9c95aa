"""Terms that hear music.

Shapes: B sequences.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rollout import Sequences

from ..config.rewards import InKeyTerm
from ..data.music.codec import MusicCodec
from ..data.music.keys import KEYS, pitch_classes
from ..errors import ConfigError, did_you_mean
from ..metrics.music import in_scale, scale_consistency
from .ingredients import Ingredients

__all__ = ["InKey"]


class InKey:
    """Share of sounding time in a key's scale; see `InKeyTerm`.

    Raises:
        ConfigError: the data are no music, or there is no such key.
    """

    def __init__(self, term: InKeyTerm, given: Ingredients):
        if not isinstance(given.codec, MusicCodec):
            raise ConfigError("--rewards: in_key: the data are no music (MIDI, ABC)")
        if term.key is not None and term.key not in KEYS:
            raise ConfigError(
                f"--rewards: key: {term.key!r} is none of {', '.join(KEYS)}"
                f"{did_you_mean(term.key, KEYS)}"
            )
        self.codec = given.codec
        self.key = None if term.key is None else KEYS.index(term.key)
        self.keys = [KEYS.index(name) for name in given.conditions.labels if name in KEYS]

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences."""
        keys: list[int | None] = [self.key] * len(sequences)
        if self.key is None and self.keys and isinstance(sequences.condition, dict):
            keys = [self.keys[label] for label in sequences.condition["label"].tolist()]
        found = []
        for tune, key in zip(self.codec.tunes(sequences), keys, strict=True):
            sounding = pitch_classes(tune.notes)
            found.append(scale_consistency(sounding) if key is None else in_scale(sounding, key))
        return torch.tensor(found, dtype=torch.float32, device=sequences.device)
