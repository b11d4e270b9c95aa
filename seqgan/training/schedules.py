"""Optimizers by name, and the share of the learning rate at each step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ..config import OptimizerConfig
from ..errors import MissingExtraError

__all__ = ["make_optimizer", "rate_share"]


def make_optimizer(model: nn.Module, config: OptimizerConfig, fused: bool) -> Any:
    """The optimizer of a model's trained parameters.

    Args:
        model: the module.
        config: its name and settings.
        fused: use the kernel that updates all parameters in one pass, if the optimizer has one.

    Raises:
        MissingExtraError: Lookahead is asked for and its package is not installed.
    """
    settings: dict[str, Any] = {
        "lr": config.learning_rate * rate_share(config, 0),
        "weight_decay": config.weight_decay,
    }
    if config.name == "radam":
        optimizer: Any = torch.optim.RAdam(
            model.parameters(), decoupled_weight_decay=True, **settings
        )
    else:
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        optimizer = kinds[config.name](model.parameters(), fused=fused, **settings)
    if not config.lookahead_steps:
        return optimizer
    try:
        from pytorch_optimizer import Lookahead
    except ImportError:
        raise MissingExtraError(
            "pytorch-optimizer", "optimizers", f"--{config.group}lookahead_steps"
        ) from None
    return Lookahead(optimizer, k=config.lookahead_steps)


def rate_share(config: OptimizerConfig, step: int) -> float:
    """Share of the learning rate that warm-up and schedule give to the step after `step` steps."""
    warm = config.warmup_steps
    if step < warm:
        return (step + 1) / warm
    if config.schedule not in ("cosine", "linear"):
        return 1.0
    done = min(1.0, (step - warm) / config.decay_steps)
    left = (1 + math.cos(math.pi * done)) / 2 if config.schedule == "cosine" else 1 - done
    return config.final_share + (1 - config.final_share) * left
