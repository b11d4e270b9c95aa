"""Checks of the settings beside a discriminator with a class for each label (SentiGAN)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checks import require

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = ["check_classes"]


def check_classes(config: RunConfig) -> None:
    """Requires the loss that a network with a class for each label has, without additions.

    Raises:
        ConfigError: there is another.
    """
    judge: Any = config.discriminator
    asked = any(term.needs_discriminator for term in config.every_term())
    if not asked or not getattr(judge, "label_classes", False):
        return
    where = "--discriminator.label_classes: the loss is the cross-entropy of the classes"
    critic, algorithm = config.critic, config.algorithm
    cure = "or --discriminator.label_classes false"
    require(
        critic.loss == "minimax",
        f"{where}, and not --critic.loss {critic.loss}; set --critic.loss minimax, {cure}",
    )
    require(
        not critic.penalty,
        f"{where}, to which no gradient penalty is added; {critic.no_penalty}, {cure}",
    )
    require(
        not critic.label_smoothing,
        f"{where}, whose labels are not smoothed; set --critic.label_smoothing 0, {cure}",
    )
    require(
        not algorithm.shows_mixtures,
        f"{where} of tokens, and --{algorithm.group}estimator soft shows mixtures of them; set "
        f"--{algorithm.group}estimator straight_through, {cure}",
    )
