"""The adversarial loop: rounds of generator steps and critic steps (Yu et al. 2017, algorithm 1).

The loop knows its players by `steps`, `soften` and `trained` alone (see `players`). The generator's
player is policy gradient, or another way to learn from a reward; the critic trains the
discriminator, and there is none if the reward needs no discriminator. `Rounds` keeps the books.
"""

from __future__ import annotations

from ..errors import NonFiniteLossError
from .rounds import Rounds, Validation

__all__ = ["adversarial"]


def adversarial(rounds: Rounds, validate: Validation) -> Rounds:
    """Plays the rounds that are left, and ends with the state that is to be kept.

    Args:
        rounds: the players, and how far they have come.
        validate: measures the policy; its "score" chooses the state that is kept.
    """
    generator, critic, config = rounds.generator, rounds.critic, rounds.config
    if not rounds.history:
        rounds.measure(validate)
    with rounds.progress() as bar:
        while not rounds.finished:
            try:
                if not rounds.generator_done:
                    generator.steps(config.generator_steps)
                    rounds.generator_done = True
                if critic is not None:
                    critic.steps(config.critic_steps)
            except NonFiniteLossError as error:
                rounds.recover(error)
                continue
            rounds.end(validate)
            bar.update(rounds.rounds_done, rounds.note())
    rounds.restore_best()
    return rounds
