"""Settings of the discriminators: a file per architecture, a line in `DISCRIMINATORS`."""

from __future__ import annotations

from ..components import Component
from .base import DiscriminatorConfig
from .bigru import BiGRU
from .bilstm import BiLSTM
from .causal_lstm import CausalLSTM
from .cnn import CNN
from .encoder import Encoder
from .frozen_encoder import FrozenEncoder
from .language_model import LanguageModel
from .mlp import MLP
from .transformer import TransformerEncoder

__all__ = ["CNN", "DISCRIMINATORS", "BiLSTM", "DiscriminatorConfig"]

DISCRIMINATORS: dict[str, type[Component]] = {
    "bilstm": BiLSTM,
    "cnn": CNN,
    "mlp": MLP,
    "bigru": BiGRU,
    "transformer": TransformerEncoder,
    "causal_lstm": CausalLSTM,
    "encoder": Encoder,
    "frozen_encoder": FrozenEncoder,
    "language_model": LanguageModel,
}
