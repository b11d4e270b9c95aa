"""Small models by the tokens that they are for, where a test has no data set."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.language_model import write_encoder, write_language_model
from seqgan.config import CNN, LSTM, BiLSTM
from seqgan.config.components import Component, build
from seqgan.config.settings import hints
from seqgan.data.dataset import TokenSpec
from seqgan.models import Discriminator, Generator

__all__ = [
    "bilstm", "cnn", "ids", "known_to_models", "lstm", "sizes", "small", "tiny_encoder",
    "tiny_language_model",
]  # fmt: skip

SIZES: dict[str, Any] = {
    "embedding": 6, "hidden": 8, "layers": 2, "width": 8, "heads": 2,
    "widths": [1, 2, 3], "filters": [4, 4, 4], "leaked": 6, "goal": 4, "horizon": 2,
}  # fmt: skip
"""Small sizes, by the names that settings of all architectures have."""


@functools.cache
def tiny_language_model(kind: str = "llama") -> str:
    """A folder with a tiny pretrained model of random weights, its tokenizer and a text."""
    for package in ("transformers", "tokenizers", "peft"):
        pytest.importorskip(package)
    folder = Path(tempfile.mkdtemp(prefix=f"tiny-{kind}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_language_model(folder, kind)
    return str(folder)


@functools.cache
def tiny_encoder() -> str:
    """A folder with a tiny encoder of random weights, whose tokens are characters."""
    for package in ("transformers", "tokenizers"):
        pytest.importorskip(package)
    folder = Path(tempfile.mkdtemp(prefix="tiny-encoder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_encoder(folder)
    return str(folder)


def sizes(kind: type[Component]) -> dict[str, Any]:
    """Small sizes of an architecture's settings, and a tiny model if it begins with one."""
    found = {name: SIZES[name] for name in SIZES.keys() & hints(kind)}
    found |= {"model": tiny_language_model()} if "model" in hints(kind) else {}
    return found | ({"encoder": tiny_encoder()} if "encoder" in hints(kind) else {})


def small(kind: type[Component], **settings: Any) -> Any:
    """Settings of an architecture with small sizes, for tests that go through all of them."""
    return kind(**sizes(kind) | settings)


def ids(vocab_size: int, max_length: int = 20) -> TokenSpec:
    """Tokens without an end and without one of their own for BOS and PAD.

    To a pretrained model they are its own.
    """
    return known_to_models(TokenSpec(vocab_size, 0, None, 0, max_length, ()))


def known_to_models(spec: TokenSpec) -> TokenSpec:
    """The same token ids, as if the tokenizer of a pretrained model had made them."""
    return spec._replace(model_ids=tuple(range(spec.vocab_size)))


def lstm(
    vocab_size: int,
    max_length: int,
    bos_id: int,
    eos_id: int | None,
    pad_id: int,
    embedding: int = 64,
    hidden: int = 128,
    *,
    forbidden: Sequence[int] = (),
    dropout: float = 0.0,
    **settings: Any,
) -> Generator:
    """An LSTM generator for these tokens, with parameters of torch's own random numbers."""
    spec = TokenSpec(vocab_size, bos_id, eos_id, pad_id, max_length, tuple(forbidden))
    generator: Generator = build(LSTM("lstm", embedding, hidden, dropout=dropout, **settings), spec)
    return generator


def cnn(
    vocab_size: int,
    embedding: int = 64,
    widths: Sequence[int] | None = None,
    filters: Sequence[int] | None = None,
    **settings: Any,
) -> Discriminator:
    """A CNN discriminator for these tokens; the paper's filters by default."""
    if widths is not None:
        settings |= {"widths": list(widths), "filters": list(filters or ())}
    discriminator: Discriminator = build(CNN(embedding=embedding, **settings), ids(vocab_size))
    return discriminator


def bilstm(vocab_size: int, *sizes: int, **settings: Any) -> Discriminator:
    """A bidirectional LSTM as discriminator for these tokens: embedding and hidden units."""
    discriminator: Discriminator = build(BiLSTM("bilstm", *sizes, **settings), ids(vocab_size))
    return discriminator
