"""Checks of the settings of policy gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks import choice, not_negative, positive, require, shares, sizes

if TYPE_CHECKING:
    from .policy_gradient import PolicyGradient

__all__ = ["ON_POLICY", "TOKEN_LOSSES", "check_policy_gradient"]

TRANSFORMS = (
    "none", "maligan", "rank", "of_sentence", "standardise", "group_standardise", "group_centre",
)  # fmt: skip
BASELINES = ("none", "mean", "leave_one_out", "moving_average", "value")
TOKEN_LOSSES = ("reinforce", "probability", "clipped")
"""Losses of tokens, which `aggregation` adds up."""
ON_POLICY = ("reinforce", "probability")
"""Losses for samples of the current policy alone."""
ONE_VALUE = ("sequence", "whole_sequence", "augmented")
"""Losses of whole sequences."""
LOSSES = (*TOKEN_LOSSES, *ONE_VALUE)
AGGREGATIONS = ("sequence_sum", "sequence_mean", "token_mean", "constant")
ESTIMATORS = ("k2", "k3")


def check_policy_gradient(settings: PolicyGradient) -> None:
    """Requires numbers that make sense, alone and together."""
    group = settings.group
    sizes(settings, "batch_size", "positions", "updates", "group_size")
    sizes(settings, "real_prefix_steps")
    sizes(settings, "real_prefix", least=0)
    require(
        settings.batch_size % settings.group_size == 0,
        f"--{group}batch_size ({settings.batch_size}) must be a multiple of "
        f"{group}group_size ({settings.group_size})",
    )
    sizes(settings, "rollouts", least=0)
    choice(settings, "transform", TRANSFORMS)
    choice(settings, "baseline", BASELINES)
    choice(settings, "loss", LOSSES)
    choice(settings, "aggregation", AGGREGATIONS)
    choice(settings, "kl_estimator", ESTIMATORS)
    choice(settings, "mle_per", ("token", "sequence"))
    shares(settings, "rollout_update_rate", "discount")
    positive(settings, "clip", "sigma")
    not_negative(settings, "entropy_weight", "kl_weight", "importance_cap", "mle_weight")
    if settings.clip_high is not None:
        positive(settings, "clip_high")
    if settings.kl_target is not None:
        positive(settings, "kl_target")
    require(
        settings.baseline != "value" or settings.rollouts == 0,
        f"--{group}baseline value takes the place of rollouts: --{group}rollouts 0",
    )
    require(
        settings.loss not in ONE_VALUE or settings.rollouts == 0,
        f"--{group}loss {settings.loss} needs one value per sequence: --{group}rollouts 0",
    )
    require(
        0.01 <= settings.temperature <= 100,
        f"--{group}temperature: {settings.temperature} is not from 0.01 to 100",
    )
    require(
        0 < settings.nucleus <= 1,
        f"--{group}nucleus: {settings.nucleus} is not above 0 and at most 1",
    )
    for name in ("temperature", "nucleus"):
        require(
            getattr(settings, name) == 1
            or settings.loss not in ON_POLICY
            or (settings.loss == "reinforce" and settings.importance_cap > 0),
            f"--{group}{name} {getattr(settings, name)}: samples of another policy need importance "
            f"weights: --{group}loss reinforce --{group}importance_cap 2",
        )
    not_negative(settings, "explorer_rate")
    corrected = settings.loss == "reinforce" and settings.importance_cap > 0
    plain = settings.temperature == settings.nucleus == 1
    require(
        settings.explorer_rate == 0 or (corrected and plain),
        f"--{group}explorer_rate {settings.explorer_rate}: the samples of the explorer need "
        f"importance weights, and are those of nobody else: --{group}loss reinforce "
        f"--{group}importance_cap 2 --{group}temperature 1 --{group}nucleus 1",
    )
    require(
        settings.loss != "probability" or (settings.updates == 1 and not settings.importance_cap),
        f"--{group}loss probability is for one update on each batch: --{group}updates 1 "
        f"--{group}importance_cap 0",
    )
    require(
        settings.discount == 1 or (settings.rollouts == 0 and settings.baseline != "value"),
        f"--{group}discount {settings.discount} is for --{group}rollouts 0 without --{group}"
        "baseline value",
    )
    require(
        settings.real_prefix == 0 or (settings.loss == "reinforce" and not settings.importance_cap),
        f"--{group}real_prefix {settings.real_prefix}: the beginnings are trained by MLE, in the "
        f"samples' loss with a weight of 1; set --{group}real_prefix 0, or --{group}loss reinforce "
        f"--{group}importance_cap 0 --{group}temperature 1 --{group}nucleus 1 "
        f"--{group}explorer_rate 0",
    )
