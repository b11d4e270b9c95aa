"""Checks of a run's settings: where it is written, and what it is shown in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import did_you_mean
from .algorithm_checks import check_algorithm
from .checks import choice, require, seed
from .class_checks import check_classes
from .data import check_corpus
from .judge_checks import check_judge
from .names import DEVICES, TRACKERS

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = ["check_run"]


def check_run(config: RunConfig) -> None:
    """Requires trackers that are known, names that can be meant, and one way to treat a run.

    Raises:
        ConfigError: one of them is missing.
    """
    check_corpus(config.data, config.corpus)
    choice(config, "device", DEVICES)
    choice(config, "precision", ("no", "bf16", "fp16"))
    choice(config, "matmul_precision", ("highest", "high"))
    choice(config, "sampling_precision", ("no", "bf16"))
    choice(config, "on_reward_error", ("stop", "skip"))
    _check_weights(config)
    _check_epochs(config)
    check_algorithm(config)
    check_judge(config)
    check_classes(config)
    seed(config.seed)
    for tracker in config.trackers:
        near = did_you_mean(tracker, TRACKERS)
        require(
            tracker in TRACKERS,
            f"--trackers: {tracker!r} is none of {', '.join(TRACKERS)}{near}",
        )
    require(config.output_dir != "", "--output_dir: an empty name; leave it out for runs/NAME")
    require(config.data != "", "--data: an empty name")
    require(config.resume != "", "--resume: an empty name; expected auto, true or a folder")
    require(
        config.resume not in (True, "auto") or config.output_dir is not None,
        "--resume: expects --output_dir, the folder of the run to resume",
    )
    require(
        not (config.resume and config.overwrite),
        "--overwrite replaces a run and --resume continues it: leave one of them out",
    )


def _check_weights(config: RunConfig) -> None:
    """Requires weights that a mean can have, in each stage."""
    for terms in (config.rewards, *(stage.rewards for stage in config.stages)):
        weights = [term.weight for term in terms]
        require(
            config.reward.mean == "sum" or min(weights) >= 0 < sum(weights),
            f"--reward.mean {config.reward.mean} expects weights of 0 or above in --rewards; "
            "to ask for small values, take '{shape: sigmoid}' with low above high",
        )
        below = [term.name for term in terms if term.shape == "standardise"]
        require(
            config.reward.mean != "geometric" or not below,
            f"--reward.mean geometric expects values of 0 or above, and half of those of "
            f"{below[0] if below else ''} are below with the shape standardise; take the shape "
            "clip, sigmoid or step",
        )


def _check_epochs(config: RunConfig) -> None:
    """Requires a generator that reads the discriminator for MLE after the discriminator's steps."""
    policy: Any = config.generator
    require(
        not config.adversarial.mle_epochs or policy.judge is not None,
        f"--adversarial.mle_epochs {config.adversarial.mle_epochs}: --generator.architecture "
        f"{policy.architecture} reads no features of the discriminator, for which the epochs are; "
        "set it to 0",
    )
