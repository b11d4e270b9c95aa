"""A pretrained language model as generator.

The vocabulary is that of the data, cut by the model's own tokenizer: of the model's embeddings and
output layer only the rows of these tokens are kept. So probabilities are those of the model given
that the text has no other tokens, and a step costs as much as the data have distinct tokens.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary, E width, L layers.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Prefixes, Sequences, State
from rollout.devices import reads_synchronise

from ...config.generators.pretrained import Pretrained
from ...data.codec import Codec, WordCodec
from ...data.pretrained_files import tokenizer_of, vocabulary_of
from ...data.spec import TokenSpec
from ...data.text.vocabulary import SPECIAL_TOKENS
from ...errors import ConfigError
from ..adapters import LearnedRows, PartlyTrained
from ..cache import Cache
from ..generator import Generator
from ..head import TokenHead
from ..language_model import FLAG, LanguageModel, read_language_model, require_steps, wrong_kind

__all__ = ["PretrainedGenerator"]

_LONGEST = {
    "max_position_embeddings": "it reads",
    "sliding_window": "its attention goes back",
    "window_size": "its attention goes back",
    "attention_chunk_size": "its attention goes back",
}
"""Limits of a sequence's length by their names in the library's configurations."""


class _Embedding(nn.Embedding):
    """Embeddings of tokens, of which some may be trained where the others are not."""

    def __init__(self, count: int, size: int):
        super().__init__(count, size)
        # Not of the class, where None would be found before the module that `learn` registers.
        self.learned: LearnedRows | None = None

    def learn(self, tokens: Sequence[int]) -> None:
        """Trains the rows of `tokens`, whether or not the others are trained."""
        self.learned = LearnedRows(self.weight, tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        """The embeddings [..., E] of tokens [...]."""
        if self.learned is not None:
            return self.learned.embedded(tokens, self.weight)
        return super().forward(tokens)

    def mixed(self, weights: Tensor) -> Tensor:
        """The mean embeddings [..., E] of tokens with weights [..., V]."""
        weights = weights.to(self.weight.dtype)
        if self.learned is not None:
            return self.learned.mixed(weights, self.weight)
        return weights @ self.weight


class PretrainedGenerator(PartlyTrained, Generator):
    """A causal language model of the library transformers (GPT-2-like, Llama-like).

    With LoRA the weights of the model are never trained: copies of the generator share them, and
    its state is that of the adapters alone. So a reference policy costs no second model, and
    checkpoints hold the adapters. A token that the model lacks, such as ``<unk>``, has rows of its
    own in embeddings and output layer, which are trained with the adapters.

    Args:
        settings: place of the model, adapters, dropout.
        spec: the token ids, with the model's ids for them.
    """

    def __init__(self, settings: Pretrained, spec: TokenSpec):
        super().__init__(settings, spec)
        model = read_language_model(settings.model, settings.lora_rank, settings.lora_alpha)
        rows, lacking = _rows(spec, model)
        width, config = model.embeddings.shape[1], model.config
        self.network = model.network
        self.embedding: _Embedding = _Embedding(spec.vocab_size, width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(width, spec.vocab_size, spec.forbidden)
        with torch.no_grad():
            if model.tied:
                self.head.tie(self.embedding)
            _fill(self.embedding.weight, model.embeddings, rows, lacking)
            if not model.tied:
                _fill(self.head.weight, model.output, rows, lacking)
            self.head.bias.zero_()
            if model.bias is not None:
                self.head.bias.copy_(model.bias[rows])
        _check_longest(spec, config)
        self.layers, self.heads, self.units = _sizes(settings.model, config, width)
        # The library has renamed it.
        named = inspect.signature(self.network.forward).parameters
        self._cache = "cache" if "cache" in named else "past_key_values"
        if settings.lora_rank:
            self.embedding.requires_grad_(False)
            nn.Module.requires_grad_(self.head, False)
            if lacking:
                self.embedding.learn(lacking)
                self.head.learn(lacking)
            self.keep_trained()
        if model.embeddings.device.type != "meta":
            require_steps(self, settings.model, config)

    def attach(self, codec: Codec) -> None:
        """Requires that the data were cut by the model's own tokenizer, if its files hold it.

        Raises:
            ConfigError: they were cut by another.
        """
        settings = self.settings
        assert isinstance(settings, Pretrained)
        if not isinstance(codec, WordCodec) or codec.cut == settings.model:
            return
        content = tokenizer_of(settings.model, FLAG)
        if content is None:
            return
        own = vocabulary_of(content)
        count = len(SPECIAL_TOKENS)
        theirs = self.spec.model_ids or (-1,) * self.spec.vocab_size
        for token, number in zip(codec.vocabulary.tokens[count:], theirs[count:], strict=True):
            if number < 0 or own.get(token) != number:
                raise ConfigError(
                    f"--corpus.tokenizer: the data were cut by {codec.cut}, which is not the "
                    f"tokenizer of {settings.model} (as {token!r} shows); {_cure(settings.model)}"
                )

    @cached_property
    def row_bytes(self) -> int:
        """Memory in bytes of one row in flight at the greatest length, as of the Transformer."""
        layer = 2 * self.max_length * self.heads * self.units * self.head.weight.element_size()
        return 12 * self.vocab_size + (2 * self.layers + 1) * layer + 3 * 8

    def embedded(self, weights: Tensor) -> Tensor:
        """The mean embeddings [..., E] of tokens with weights [..., V]."""
        found: Tensor = self.embedding.mixed(weights)
        return found

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """A cache that holds nothing."""
        return Cache.empty(batch_size, self.layers, self.heads, self.units, self.head.weight)

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, E] after one more token, and the new state."""
        positions, after = state.positions, state.extended()
        more = {
            self._cache: _through()(after),
            "attention_mask": after.outside(embeddings),
            "position_ids": positions[:, None],
        }
        found = self.network(inputs_embeds=self.dropout(embeddings)[:, None], **more)
        return self.dropout(found.last_hidden_state[:, 0]), after

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, E] before every token."""
        inputs = self.dropout(self.embedding(self._inputs(sequences)))
        # Without a mask of ours the library looks for one at the numbers of the places, and makes
        # the host wait.
        more = _one_after_another(inputs) if reads_synchronise(inputs.device) else {}
        found = self.network(inputs_embeds=inputs, use_cache=False, **more)
        return self.dropout(found.last_hidden_state)

    def attention_weights(self, sequences: Sequences) -> Tensor:
        """Attention weights [B, layers, H, T, T]."""
        inputs = self.embedding(self._inputs(self.asked(sequences)))
        network: Any = self.network
        usual = network.config._attn_implementation
        network.set_attn_implementation("eager")  # the fast ones keep no weights
        try:
            found = network(inputs_embeds=inputs, use_cache=False, output_attentions=True)
        finally:
            network.set_attn_implementation(usual)
        return torch.stack(list(found.attentions), 1)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The keys and values of all positions, in one pass."""
        sequences = self.asked(sequences)
        inputs = self.dropout(self.embedding(self._inputs(sequences)))
        held = _recorder()(self.layers)
        self.network(inputs_embeds=inputs, **{self._cache: held}, **_one_after_another(inputs))
        return Prefixes(sequences, held.pool)

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states before the tokens at `positions`: their prefixes stay in the pool."""
        return Cache.branch(prefixes.states, rows, positions + 1)


def _one_after_another(inputs: Tensor) -> dict[str, Tensor]:
    """Mask and places of inputs [B, T, E] that see those before them and themselves."""
    length, device = inputs.shape[1], inputs.device
    mask = torch.ones(length, length, device=device).tril().log().to(inputs.dtype)
    places = torch.arange(length, device=device)[None]
    return {"attention_mask": mask.expand(len(inputs), 1, -1, -1), "position_ids": places}


def _cure(model: str) -> str:
    """Advice to whoever has the tokenizer of another model."""
    file = Path(model) if model.endswith(".gguf") else Path(model) / "tokenizer.json"
    if file.is_file():
        return f"set --corpus.tokenizer {file}"
    return (
        f"write {file} with AutoTokenizer.from_pretrained({model!r}).save_pretrained({model!r}) "
        f"of transformers, and set --corpus.tokenizer {file}"
    )


def _rows(spec: TokenSpec, model: LanguageModel) -> tuple[Tensor, list[int]]:
    """The model's row for each token id, int64 [V], and the ids that it has none for.

    Raises:
        ConfigError: the data are not cut by the model's own tokenizer.
    """
    size, config, ids = len(model.embeddings), model.config, spec.model_ids
    advice = "cut the data by its own tokenizer: --corpus.tokenizer FOLDER/tokenizer.json"
    if not ids:
        raise ConfigError(f"--generator.model: the data have none of its token ids; {advice}")
    if max(ids) >= size:
        raise ConfigError(
            f"--generator.model: it has {size:,} tokens, and the data have ids up to {max(ids):,}; "
            f"{advice}"
        )
    end = config.eos_token_id if config.eos_token_id is not None else 0
    end = end[0] if isinstance(end, list) else end
    begin = config.bos_token_id if config.bos_token_id is not None else end
    special = {spec.bos_id: begin, spec.eos_id: end}
    chosen = [special.get(i, end) if row < 0 else row for i, row in enumerate(ids)]
    unused = {*special, *spec.forbidden}
    lacking = [i for i, row in enumerate(ids) if row < 0 and i not in unused]
    return torch.tensor(chosen, device=model.embeddings.device), lacking


def _fill(weight: Tensor, theirs: Tensor, rows: Tensor, lacking: list[int]) -> None:
    """Copies the model's rows; a token that it lacks begins as the mean of all.

    Such a token is rare at first, and unlike any other: as the end of a text, say, it would take
    half of that one's probability.
    """
    weight.copy_(theirs[rows])
    weight[lacking] = theirs.mean(0)


def _check_longest(spec: TokenSpec, config: Any) -> None:
    """Requires sequences that the model reads whole at every step.

    Raises:
        ConfigError: they are longer.
    """
    for name, words in _LONGEST.items():
        most = getattr(config, name, None)
        if most is not None and spec.max_length > most:
            raise ConfigError(
                f"--generator.model: {words} {most:,} tokens, and the longest sequence has "
                f"{spec.max_length:,}; set --corpus.max_length {most}"
            )


def _sizes(name: str, config: Any, width: int) -> tuple[int, int, int]:
    """Number of layers, of heads that have keys, and of their units.

    Raises:
        ConfigError: the model has no attention heads.
    """
    layers, heads = (
        getattr(config, each, None) for each in ("num_hidden_layers", "num_attention_heads")
    )
    if not isinstance(layers, int) or not isinstance(heads, int):
        raise wrong_kind(name, config, "keep a state that is no cache of keys and values")
    kept = getattr(config, "num_key_value_heads", None) or heads
    return layers, int(kept), int(getattr(config, "head_dim", None) or width // heads)


@cache
def _through() -> Any:
    """The class of the library's caches that keep keys and values in a state of ours."""
    from transformers.cache_utils import DynamicCache

    class Through(DynamicCache):
        def __init__(self, state: Cache):
            super().__init__()
            self.state = state

        def update(
            self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
        ) -> tuple[Tensor, Tensor]:
            new = key_states[:, :, 0], value_states[:, :, 0]
            keys, values = self.state.appended(layer_idx, *new)
            return keys, values

        def get_seq_length(self, layer_idx: int = 0) -> int:
            return self.state.widest + self.state.width - 1

    return Through


@cache
def _recorder() -> Any:
    """The class of the library's caches whose `pool` has each layer's [2, B, H, T, D]."""
    from transformers.cache_utils import DynamicCache

    class Recorder(DynamicCache):
        def __init__(self, layers: int):
            super().__init__()
            self.pool = [torch.empty(0)] * layers

        def update(
            self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
        ) -> tuple[Tensor, Tensor]:
            self.pool[layer_idx] = torch.stack([key_states, value_states])
            return key_states, value_states

        def get_seq_length(self, layer_idx: int = 0) -> int:
            return 0

    return Recorder
