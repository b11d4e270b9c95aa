"""Checks of a run's algorithm beside its rewards: what each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .algorithms.policy_gradient import PolicyGradient
from .algorithms.ratio import Ratio
from .algorithms.relaxed import LOSS_OF, Relaxed
from .checks import require
from .constraints import check_constraint

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = ["check_algorithm"]


def check_algorithm(config: RunConfig) -> None:
    """Requires the rewards that the algorithm can serve.

    Raises:
        ConfigError: there are others.
    """
    _check_stages(config)
    _check_players(config)
    _check_relaxed(config)
    _check_ratio(config)
    alone = config.ratio_alone and config.rewards[0].name == "ratio" and not config.stages
    require(
        alone or not config.ensemble.refresh,
        "--ensemble.refresh trains the ensemble behind --rewards ratio alone, without weight, "
        "shape and stages; set --ensemble.refresh 0, or take that reward",
    )


def _check_stages(config: RunConfig) -> None:
    """Requires an algorithm that knows stages and constraints, if there are any."""
    check_constraint("--constraint", config.constraint)
    algorithm = config.algorithm
    for what, given in (("stages are", config.stages), ("constraint is", config.constraint)):
        require(
            given in ([], "none") or isinstance(algorithm, PolicyGradient),
            f"--{what} for --{algorithm.group}name policy_gradient",
        )
    _check_length(config)


def _check_length(config: RunConfig) -> None:
    """Requires rounds that the last reward has a part of, if every stage takes all of its steps."""
    rounds = config.adversarial
    total = rounds.rounds * rounds.generator_steps
    least = [
        stage.steps if stage.reward is None else min(stage.least, stage.steps or stage.least)
        for stage in config.stages
    ]
    require(
        sum(least) < total,
        f"--stages take {sum(least)} generator steps, and the rounds have {total} "
        f"(--adversarial.rounds {rounds.rounds} times --adversarial.generator_steps "
        f"{rounds.generator_steps}): --rewards would never be trained for; set "
        f"--adversarial.rounds {sum(least) // rounds.generator_steps + 1} or more",
    )


def _check_relaxed(config: RunConfig) -> None:
    """Requires what gradients through samples need: the discriminator alone, and its loss."""
    algorithm = config.algorithm
    if not isinstance(algorithm, Relaxed):
        return
    flag = f"--{algorithm.group}name: relaxed"
    terms = [term.name for term in config.every_term()]
    require(
        terms == ["discriminator"],
        f"{flag} takes the gradient of the discriminator, and --rewards are {', '.join(terms)}; "
        "give --rewards '[discriminator]', or take another algorithm",
    )
    wanted = LOSS_OF[algorithm.loss]
    require(
        config.critic.loss == wanted,
        f"--{algorithm.group}loss: {algorithm.loss} goes with a discriminator of the loss "
        f"{wanted}, and --critic.loss is {config.critic.loss}; set --critic.loss {wanted}",
    )
    changed = bool(config.critic.augment) and config.critic.augment_generated
    require(
        not (algorithm.shows_mixtures and changed),
        f"--critic.augment changes tokens, and with --{algorithm.group}estimator soft generated "
        "sequences are mixtures of tokens; take --algorithm.estimator straight_through, or set "
        "--critic.augment_generated false if a changed real sequence is as real as before",
    )


def _check_players(config: RunConfig) -> None:
    """Requires that one model at most is trained beside the policy."""
    require(
        not any(term.needs_mediator for term in config.every_term())
        or not any(term.needs_discriminator for term in config.every_term()),
        "--rewards: mediator and discriminator are both the player beside the policy, and a run "
        "trains one of them; leave one out",
    )


def _check_ratio(config: RunConfig) -> None:
    """Requires the ratio alone for what only an ensemble's density makes possible."""
    algorithm = config.algorithm
    if not isinstance(algorithm, Ratio) or config.ratio_alone:
        return
    usual = Ratio()
    for name in ("objective", "samples"):
        value, default = getattr(algorithm, name), getattr(usual, name)
        require(
            value == default,
            f"--{algorithm.group}{name}: {value} needs --rewards ratio alone, without weight and "
            f"shape; with these rewards leave it at {default}",
        )
    require(
        algorithm.estimator in (usual.estimator, "reinforce"),
        f"--{algorithm.group}estimator: {algorithm.estimator} needs --rewards ratio alone, without "
        f"weight and shape; with these rewards it is reinforce",
    )
