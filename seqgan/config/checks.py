"""Checks that the settings share; each error names the flag."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigError, did_you_mean
from .settings import Settings

__all__ = [
    "choice", "dropout", "heads", "not_negative", "positive", "require", "seed", "shares", "sizes",
]  # fmt: skip

# Above these, something else was meant: no machine that the toolkit runs on could do the work.
_LARGEST = {
    "batch_size": 100_000,
    "rollouts": 10_000,
    "num_samples": 10_000_000,
    "sweep_samples": 10_000_000,
    "resamples": 1_000_000,
    "judge_samples": 10_000_000,
    "hidden": 100_000,
    "embedding": 100_000,
    "layers": 100,
    "width": 100_000,
    "heads": 1_000,
    "noise": 100_000,
    "updates": 1_000,
    "negatives": 100_000_000,
    "epochs": 1_000_000,
    "rounds": 1_000_000,
    "steps": 1_000_000_000,
    "epoch_steps": 1_000_000_000,
    "generator_steps": 1_000_000,
    "critic_steps": 100_000_000,
    "max_length": 20_000_000,  # above the longest line that is read
    "num_train": 100_000_000,
    "num_validation": 10_000_000,
    "num_heldout": 10_000_000,
    "num_test": 10_000_000,
    "vocabulary": 10_000_000,
    "length": 100_000,
}


def require(condition: bool, message: str) -> None:
    """Raises a `ConfigError` with `message` unless `condition` holds."""
    if not condition:
        raise ConfigError(message)


def choice(config: Settings, name: str, choices: Iterable[str]) -> None:
    """Requires one of `choices`; the error suggests the nearest."""
    value, known = getattr(config, name), list(choices)
    if value not in known:
        raise ConfigError(
            f"--{config.group}{name}: {value!r} is none of {', '.join(known)}"
            f"{did_you_mean(str(value), known)}"
        )


def sizes(config: Settings, *names: str, least: int = 1) -> None:
    """Requires whole numbers from `least` up to what a machine could do."""
    for name in names:
        value, where = getattr(config, name), f"--{config.group}{name}"
        require(value >= least, f"{where}: {value} is below {least}")
        largest = _LARGEST.get(name)
        if largest is not None:
            require(value <= largest, f"{where}: {value:,} is above {largest:,}")


def positive(config: Settings, *names: str, below: float = 1e6) -> None:
    """Requires numbers above 0 and below `below`."""
    for name in names:
        value, where = getattr(config, name), f"--{config.group}{name}"
        require(0 < value < below, f"{where}: {value} is not above 0 and below {below:g}")


def shares(config: Settings, *names: str, most: float = 1.0) -> None:
    """Requires numbers from 0 to `most`."""
    for name in names:
        value, where = getattr(config, name), f"--{config.group}{name}"
        require(0 <= value <= most, f"{where}: {value} is not between 0 and {most:g}")


def not_negative(config: Settings, *names: str) -> None:
    """Requires numbers of 0 or above."""
    for name in names:
        value, where = getattr(config, name), f"--{config.group}{name}"
        require(0 <= value < float("inf"), f"{where}: {value} is not 0 or above")


def dropout(config: Settings, name: str = "dropout") -> None:
    """Requires a probability from 0 to below 1."""
    value = getattr(config, name)
    require(0 <= value < 1, f"--{config.group}{name}: {value} is not in [0, 1)")


def heads(config: Settings) -> None:
    """Requires a width that gives every attention head an even number of units."""
    width, count = config.width, config.heads  # type: ignore[attr-defined]
    require(
        width % (2 * count) == 0,
        f"--{config.group}width: {width} is not a multiple of {2 * count}, twice "
        f"--{config.group}heads: each head turns its units in pairs",
    )


def seed(value: int, flag: str = "--seed") -> None:
    """Requires a seed of 63 bits."""
    require(0 <= value < 1 << 63, f"{flag}: {value} is not in [0, 2^63)")
