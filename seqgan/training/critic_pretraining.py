"""Training of the discriminator before the rounds, against samples of the pretrained policy."""

from __future__ import annotations

from typing import Any

from ..metrics.gain import knowledge, teaching
from ..runs.state import fields_of, set_fields
from .critic import Critic
from .kept import Kept
from .runtime import Runtime

__all__ = ["CriticPretraining", "pretrain_critic"]

FIELDS = ("measured_step", "best", "best_step")


def pretrain_critic(critic: Critic, runtime: Runtime) -> None:
    """Trains the discriminator of `critic` in place against samples of its policy.

    Ends with the state that was best on held-out data.
    """
    work = CriticPretraining(critic)
    runtime.enter("critic", critic_pretraining=work)
    with runtime.progress("Discriminator", "steps", critic.config.steps, work.measured_step) as bar:
        while not work.finished:
            measured = work.stretch()
            note = (
                f"held-out accuracy {measured['heldout_accuracy']:.3f}, "
                f"gain {measured['heldout_gain']:.3f} nats"
            )
            bar.update(critic.learner.step, note)
    work.kept.put_back()
    critic.learner.end(restored=True)
    final = critic.measure(work.negatives, work.fresh, log=False)
    runtime.say(f"Discriminator: {critic.learner.step} steps, best at {work.best_step}")
    kind = "" if knowledge(final) == "something" else "warning: "
    runtime.say(f"{kind}The discriminator {teaching(final)}")


class CriticPretraining:
    """The steps against samples of the policy, and the choice of the best state.

    Args:
        critic: the discriminator and its training; its policy does not change meanwhile.
    """

    def __init__(self, critic: Critic):
        self.critic, self.config, runtime = critic, critic.config, critic.runtime
        fresh = 2 * len(critic.heldout)
        self.drawn = -1
        self._draw(0)
        self.fresh = critic.draw(fresh, runtime.rng("discriminate", "fresh"), critic.heldout)
        self.measured_step = self.best_step = 0
        self.best = float("inf")
        self.kept = Kept(discriminator=critic.trained)
        self.kept.keep()

    @property
    def finished(self) -> bool:
        """Tells if all steps are done, or measurements have seen no progress for too long."""
        waited = (self.measured_step - self.best_step) // self.config.measure_every
        stalled = self.config.early_stopping and waited >= self.config.patience
        return self.measured_step >= self.config.steps or stalled

    def stretch(self) -> dict[str, Any]:
        """Takes the steps up to the next measurement, or what is left of them, and measures."""
        until = min(self.measured_step + self.config.measure_every, self.config.steps)
        while self.critic.learner.step < until:
            every = self.config.fresh_every or self.config.steps
            number = self.critic.learner.step // every
            self._draw(number)
            self.critic.train_until(min(until, (number + 1) * every), self.negatives)
        self.critic.settle()
        with self.critic.learner.averaged():
            measured = self.critic.measure(self.negatives, self.fresh)
            # Chosen on one half of the held-out data, reported on the other.
            loss = measured["heldout_cross_entropy"]
            if loss < self.best or not self.config.early_stopping:
                self.best, self.best_step = loss, until
                self.kept.keep()
        self.measured_step = until
        self.critic.learner.measured(loss, measured)
        return measured

    def _draw(self, number: int) -> None:
        """Draws a set of samples to train against, which its number fixes."""
        if number != self.drawn:
            more = [number] if number else []
            rng = self.critic.runtime.rng("discriminate", "negatives", *more)
            self.negatives = self.critic.draw_negatives(self.critic.count, rng)
            self.drawn = number

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint; the samples are drawn again."""
        return {**fields_of(self, FIELDS), "kept": self.kept.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        self.kept.load_state_dict(state["kept"])
