"""Tiny pretrained models of random weights with their tokenizers, for checks without a download.

It needs the extra [lm].
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

__all__ = ["flags_of", "write_encoder", "write_language_model"]

_WORDS = (("red", "green"), ("small", "large"), ("cats", "dogs", "birds"), ("sleep", "run", "sing"))


def write_language_model(
    folder: Path, kind: str = "llama", lines: Sequence[str] | None = None, tokens: int = 300
) -> None:
    """Writes a model that the library transformers reads, `tokenizer.json` and `text.txt`.

    Args:
        folder: made if it is not there.
        kind: "llama" or "gpt2".
        lines: of the text, from which the tokenizer is made; None: a few short sentences.
        tokens: of the model.
    """
    import tokenizers
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "llama":
            config: Any = transformers.LlamaConfig(
                vocab_size=tokens, hidden_size=8, intermediate_size=16, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
                initializer_range=0.2, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
            )  # fmt: skip
        else:
            config = transformers.GPT2Config(
                vocab_size=tokens, n_embd=8, n_layer=2, n_head=2, n_positions=64,
                initializer_range=0.2, bos_token_id=0, eos_token_id=0,
            )  # fmt: skip
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    if lines is None:
        lines = [" ".join(words) for words in itertools.product(*_WORDS)] * 4
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in lines))
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(lines, vocab_size=tokens - 10, show_progress=False)
    tokenizer.save(str(folder / "tokenizer.json"))


def write_encoder(folder: Path) -> None:
    """Writes an encoder of texts that the library transformers reads; its tokens are characters.

    Args:
        folder: made if it is not there.
    """
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(chr, range(32, 127))]
    inner = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer: Any = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", model_max_length=128
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(names), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=128, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)


def flags_of(folder: Path) -> list[str]:
    """Flags for the text that the tokenizer of a model cuts."""
    return [
        "--data",
        str(folder / "text.txt"),
        "--corpus.tokenizer",
        str(folder / "tokenizer.json"),
    ]
