"""Spectral normalisation of a discriminator's layers."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["normalise"]


def normalise(model: nn.Module) -> None:
    """Divides the weights of every linear layer and convolution by their largest singular value.

    Each layer is then 1-Lipschitz, as a bound on the slope of the logits asks for. The singular
    value is followed by one power iteration per training step; its vectors are saved with the
    model. Embeddings stay as they are. Source: Miyato et al. 2018, algorithm 1.
    """
    for module in [*model.modules()]:
        if isinstance(module, (nn.Linear, nn.Conv1d)):
            spectral_norm(module)
