"""A tiny language model of random weights, its tokenizer and a text, for checks without a download.

It needs the extra [lm].
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch

__all__ = ["flags_of", "write_language_model"]

_WORDS = (("red", "green"), ("small", "large"), ("cats", "dogs", "birds"), ("sleep", "run", "sing"))


def write_language_model(folder: Path, kind: str = "llama") -> None:
    """Writes a model that the library transformers reads, `tokenizer.json` and `text.txt`.

    Args:
        folder: made if it is not there.
        kind: "llama" or "gpt2".
    """
    import tokenizers
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "llama":
            config: Any = transformers.LlamaConfig(
                vocab_size=300, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
                initializer_range=0.2, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
            )  # fmt: skip
        else:
            config = transformers.GPT2Config(
                vocab_size=300, n_embd=8, n_layer=2, n_head=2, n_positions=64,
                initializer_range=0.2, bos_token_id=0, eos_token_id=0,
            )  # fmt: skip
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    lines = [" ".join(words) for words in itertools.product(*_WORDS)] * 4
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in lines))
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(lines, vocab_size=290, show_progress=False)
    tokenizer.save(str(folder / "tokenizer.json"))


def flags_of(folder: Path) -> list[str]:
    """Flags for the text that the tokenizer of a model cuts."""
    return [
        "--data",
        str(folder / "text.txt"),
        "--corpus.tokenizer",
        str(folder / "tokenizer.json"),
    ]
