"""Spectral normalisation of a discriminator's layers."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["normalise"]


def normalise(model: nn.Module) -> None:
    """Divides the weights of every linear layer and convolution by their largest singular value.

    That of a convolution is taken of its weights as a matrix [filters, width x inputs], so the
    slope of a linear layer is 1 at most, that of a convolution the square root of its width.
    Embeddings, recurrent layers, attention and LayerNorm stay as they are. The singular value is
    an estimate: each forward pass in training mode takes one power iteration more, whose vectors
    are saved with the model. Source: Miyato et al. 2018, algorithm 1.
    """
    for module in [*model.modules()]:
        if isinstance(module, (nn.Linear, nn.Conv1d)):
            spectral_norm(module)
