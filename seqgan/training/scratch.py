"""The state that the rounds begin with: the pretrained policy's, or fresh parameters."""

from __future__ import annotations

from ..config import RunConfig
from ..data.dataset import Dataset
from ..models import Generator, make_generator
from ..seeding import derive_seed

__all__ = ["at_the_start"]


def at_the_start(policy: Generator, config: RunConfig, data: Dataset) -> None:
    """Gives a pretrained policy the parameters that the rounds begin with; mostly its own.

    Args:
        policy: changed in place.
        config: all settings.
        data: the data set.
    """
    if config.adversarial.start == "scratch":
        seed = derive_seed(config.seed, "generator", "scratch")
        policy.load_state_dict(make_generator(config.generator, data.spec, seed).state_dict())
