"""Settings of the discriminators: a file per architecture, a line in `DISCRIMINATORS`."""

from __future__ import annotations

from ..components import Component
from .base import DiscriminatorConfig
from .bilstm import BiLSTM
from .cnn import CNN
from .mlp import MLP

__all__ = ["CNN", "DISCRIMINATORS", "BiLSTM", "DiscriminatorConfig"]

DISCRIMINATORS: dict[str, type[Component]] = {"bilstm": BiLSTM, "cnn": CNN, "mlp": MLP}
