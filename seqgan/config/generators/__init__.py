"""Settings of the generators: a file per architecture, a line in `GENERATORS`."""

from __future__ import annotations

from ..components import Component
from .base import GeneratorConfig
from .gru import GRU
from .leak import Leak
from .lstm import LSTM
from .pretrained import Pretrained
from .relational import Relational
from .transformer import Transformer

__all__ = ["GENERATORS", "LSTM", "GeneratorConfig"]

GENERATORS: dict[str, type[Component]] = {
    "lstm": LSTM,
    "gru": GRU,
    "transformer": Transformer,
    "pretrained": Pretrained,
    "relational": Relational,
    "leak": Leak,
}
