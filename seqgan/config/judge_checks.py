"""Checks of a run's discriminator beside its rewards and its loss: what each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .algorithms.relaxed import Relaxed
from .checks import require
from .names import EMBEDDERS, is_one_encoder

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = ["OF_PROBABILITIES", "check_judge"]

OF_PROBABILITIES = ("probability", "minimax", "non_saturating", "penalty", "centred")
"""Forms of the reward that are functions of D = sigmoid(logit)."""


def check_judge(config: RunConfig) -> None:
    """Requires rewards and a loss that the discriminator can serve.

    Raises:
        ConfigError: there are others.
    """
    _check_per_token(config)
    _check_reads_text(config)
    _check_features(config)
    _check_form(config)


def _check_per_token(config: RunConfig) -> None:
    """Requires a reward and a loss that a discriminator with a logit per token can serve."""
    judge: Any = config.discriminator
    terms: list[Any] = [term for term in config.every_term() if term.name == "discriminator"]
    if not judge.per_token or not terms:
        return
    where = f"--discriminator.architecture: {judge.architecture} judges every token"
    for term in terms:
        require(
            term.form in ("log_odds", "centred"),
            f"{where}, and of all forms of its reward log_odds and centred alone are sums over the "
            f"tokens; take one in the place of {term.form} in --rewards, or another discriminator",
        )
    require(
        not config.critic.penalty,
        f"{where}, and a gradient penalty asks for one logit per sequence; "
        f"{config.critic.no_penalty}, or take another discriminator",
    )


def _check_form(config: RunConfig) -> None:
    """Requires a reward that means what it says of the logits that the loss leads to."""
    loss = config.critic.loss
    for term in config.every_term():
        form = getattr(term, "form", "")
        require(
            loss == "minimax" or form not in OF_PROBABILITIES,
            f"--rewards: the form {form} takes the logits for log-odds, which --critic.loss {loss} "
            "does not make them; take the form log_odds (the logit itself), or --critic.loss "
            "minimax",
        )
        require(
            form != "least_squares" or loss == form,
            f"--rewards: the form least_squares wants logits of 1, and those of --critic.loss "
            f"{loss} have no such goal; take another form, or --critic.loss least_squares",
        )


def _check_features(config: RunConfig) -> None:
    """Requires a ranking by features as reward and as loss, and a network that has features."""
    judge: Any = config.discriminator
    forms = [getattr(term, "form", "") for term in config.every_term()]
    judged = [form for form in forms if form]
    if not judged:
        return
    ranks = config.critic.loss == "ranking"
    for form in judged:
        require(
            (form == "ranking") == ranks,
            f"--rewards: the form {form} and --critic.loss {config.critic.loss}: a ranking is both "
            "or neither; set --critic.loss ranking and --rewards "
            "'[{name: discriminator, form: ranking}]', or change the one that is",
        )
    able = [name for name, kind in judge.table().items() if getattr(kind, "has_features", False)]
    require(
        not ranks or judge.has_features,
        f"--discriminator.architecture: {judge.architecture} has no features to rank by; choose "
        f"{' or '.join(able)}",
    )
    require(
        not ranks or not config.critic.penalty,
        "--critic.gradient_penalty is for losses of logits, not for --critic.loss ranking",
    )


def _check_reads_text(config: RunConfig) -> None:
    """Requires settings that a discriminator of texts can serve, and another encoder as judge."""
    judge: Any = config.discriminator
    if not judge.reads_text or all(term.name != "discriminator" for term in config.every_term()):
        return
    where = f"--discriminator.architecture: {judge.architecture} judges whole texts"
    require(
        not isinstance(config.algorithm, Relaxed),
        f"{where}, and --{config.algorithm.group}name relaxed takes gradients with respect to "
        "tokens; take policy_gradient, or another discriminator",
    )
    require(
        not config.critic.penalty,
        f"{where}, and a gradient penalty needs embeddings of tokens; "
        f"{config.critic.no_penalty}, or take another discriminator",
    )
    embedder = config.evaluation.embedder
    require(
        not is_one_encoder(judge.encoder, embedder),
        f"--evaluation.embedder: {embedder} is the discriminator's encoder too, so the samples "
        "would be judged by what they were trained to please; take another for one of them: "
        f"{', '.join(each for each in EMBEDDERS if each not in ('none', embedder))}",
    )
