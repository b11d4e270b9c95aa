"""The book-keeping of the adversarial rounds: counters, best states, patience, recovery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rollout import Policy

from ..config import AdversarialConfig
from ..errors import NonFiniteLossError
from ..runs.state import fields_of, set_fields
from .health import GENERATOR, Health
from .kept import Kept
from .players import Actor, Player
from .runtime import Runtime

__all__ = ["Rounds", "Validation"]

Validation = Callable[[Policy], dict[str, float]]
"""``validate(policy)`` gives measurements; their "score" is to be minimised."""

FIELDS = (
    "rounds_done", "best_round", "best_score", "history", "stopped", "times_restored",
    "generator_done", "settled_round",
)  # fmt: skip
MOST_RESTORED = 5
"""Times that training returns to the best state; what goes wrong more often than that stays."""


class Rounds:
    """The book-keeping of the rounds: counters, best states, patience. A checkpoint keeps it.

    Args:
        generator: the player of the policy.
        critic: the player of the discriminator, or None.
        config: rounds, patience, reaction to trouble.
        runtime: log, checkpoints.
        stage: name of the rounds in the log: adversarial, or control.
        health: looks at both models at every measurement; None: nobody has to be warned.
        keep: called when a state is the best so far.
        show: called with the policy and its generator steps at every measurement.
    """

    def __init__(
        self,
        generator: Actor,
        critic: Player | None,
        config: AdversarialConfig,
        runtime: Runtime,
        *,
        stage: str = "adversarial",
        health: Health | None = None,
        keep: Callable[[], None] = lambda: None,
        show: Callable[[Any, int], None] = lambda policy, step: None,
    ):
        self.generator, self.critic, self.config, self.runtime = generator, critic, config, runtime
        self.stage, self.health, self.keep = stage, health, keep
        self.show = show
        self.rounds_done = self.best_round = self.settled_round = self.times_restored = 0
        self.best_score = float("inf")
        self.history: list[float] = []
        self.stopped = self.generator_done = False
        self.best = Kept(**{name: each.trained for name, each in self._players().items()})
        self.best.keep()

    @property
    def finished(self) -> bool:
        """Tells if all rounds are done, or validation has seen no progress for too long.

        Validation is by the last reward, so nobody waits for progress before that one is trained.
        """
        since = max(self.best_round, self.settled_round)
        waited = (self.rounds_done - since) // self.config.measure_every
        patient = self.config.early_stopping and self.config.patience > 0
        stalled = patient and waited >= self.config.patience
        spent = self.generator.done and not self.generator_done  # else the round is not over yet
        return self.rounds_done >= self.config.rounds or stalled or self.stopped or spent

    def progress(self) -> Any:
        """A progress bar of the rounds."""
        title = self.stage.capitalize()
        return self.runtime.progress(title, "rounds", self.config.rounds, self.rounds_done)

    def note(self) -> str:
        """The figures beside the progress bar."""
        return f"validation {self.history[-1]:.4f}, best {self.best_score:.4f}"

    def end(self, validate: Validation) -> None:
        """Counts a round, and measures when a measurement is due."""
        self.rounds_done += 1
        if not self.generator.settled:
            self.settled_round = self.rounds_done
        self.generator_done = False
        due = self.rounds_done % self.config.measure_every == 0
        last = self.rounds_done == self.config.rounds or self.generator.done
        measured = self.measure(validate) if due or last else {}
        if self.stage == "adversarial" and self.runtime.processes.is_main:
            self.runtime.callbacks.on_round(self.rounds_done, dict(measured))

    def measure(self, validate: Validation) -> dict[str, float]:
        """Measures the policy on validation, keeps the best state, and looks out for trouble."""
        with ExitStack() as averages:
            for player in self._players().values():
                averages.enter_context(player.learner.averaged())
            measured, found = self._measured(validate)
            self.generator.learner.measured(measured["score"], measured)
            better = measured["score"] < self.best_score
            if better:
                self.best_score, self.best_round = measured["score"], self.rounds_done
                self.best.keep()
                self.keep()
        if not better and self.config.on_trouble == "restore" and set(found) & set(GENERATOR):
            self._go_back()
        return measured

    def _measured(self, validate: Validation) -> tuple[dict[str, float], list[str]]:
        """Figures of the policy on validation, and the troubles that are seen."""
        policy: Any = self.generator.trained
        measured = self.runtime.processes.agree(lambda: validate(policy))
        self.history.append(measured["score"])
        name = "validation" if self.stage == "adversarial" else f"{self.stage}-validation"
        self.runtime.log(name, self.rounds_done, round=self.rounds_done, **measured)
        self.show(policy, self.rounds_done * self.config.generator_steps)
        found = [] if self.health is None else self.health.look(policy, self.rounds_done)
        # Before the first round nothing has gone wrong yet, whatever a limit says.
        self.stopped = bool(found and self.rounds_done) and self.config.on_trouble == "stop"
        return measured, found

    def recover(self, error: NonFiniteLossError) -> None:
        """Handles a loss that is not finite as `on_trouble` says; re-raises it under "warn"."""
        if self.config.on_trouble == "warn" or self.times_restored == MOST_RESTORED:
            raise error
        self.runtime.say(f"warning: {error}")
        self.generator_done = False
        self.stopped = self.config.on_trouble == "stop"
        if not self.stopped:
            self._go_back()

    def restore_best(self) -> None:
        """Ends the rounds: the best state, or the last one if early stopping is off."""
        kept = self.config.early_stopping or self.stopped
        if kept:
            self.best.put_back()
        for player in self._players().values():
            player.learner.end(kept)
        start = "the pretrained model" if self.config.start == "mle" else "fresh parameters"
        self.runtime.say(
            f"{self.stage.capitalize()}: {self.rounds_done} rounds, best validation score "
            f"{self.best_score:.4f} after round {self.best_round} (0 is {start})"
            + ("" if kept else "; the last state is kept")
        )
        if not self.generator.settled:
            self.runtime.say("warning: the rounds ended before the last of the rewards began")

    def summary(self) -> dict[str, Any]:
        """Summary for results.json."""
        return {
            "rounds": self.rounds_done,
            "best_round": self.best_round,
            "best_score": self.best_score,
            "validation_scores": self.history,
            "troubles": [] if self.health is None else self.health.seen,
            "stopped": self.stopped,
            "settled": self.generator.settled,
            "times_restored": self.times_restored,
        }

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the players and their models."""
        health = None if self.health is None else self.health.state_dict()
        return {**fields_of(self, FIELDS), "best": self.best.state_dict(), "health": health}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        self.best.load_state_dict(state["best"])
        if self.health is not None:
            self.health.load_state_dict(state["health"])

    def _players(self) -> dict[str, Player]:
        players: dict[str, Player] = {"generator": self.generator}
        return players if self.critic is None else {**players, "critic": self.critic}

    def _go_back(self) -> None:
        """Returns both models to their best states, with smaller steps from there."""
        if self.times_restored == MOST_RESTORED:
            return
        self.times_restored += 1
        self.best.put_back()
        for player in self._players().values():
            player.soften()
        self.runtime.say(
            f"Back to the state after round {self.best_round}, with half the learning rate"
        )
