"""Maximum likelihood pretraining of the generator.

A well-tuned baseline is half of an honest comparison: AdamW with weight decay and dropout, the
learning rate cut where validation NLL stalls, early stopping, the best state kept. With
``early_stopping = False`` it is the fixed number of epochs of Yu et al. 2017.

A baseline that was still improving makes any second phase look good, so every run says whether its
pretraining converged: see `convergence`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rollout import Sequences
from rollout.devices import reads_synchronise
from rollout.sequences import padded_width

from ..config import PretrainConfig
from ..config.reading import run_config
from ..errors import RunDirectoryError
from ..metrics.likelihood import token_nll
from ..models import Generator
from ..runs.run_directory import LOG, PRETRAINING, RunDirectory
from ..runs.state import fields_of, set_fields
from .kept import Kept
from .learner import PROGRESS, Learner
from .mle_loss import MLELoss
from .processes import Part
from .runtime import Runtime

__all__ = ["Convergence", "Pretraining", "convergence", "convergence_of", "pretrain"]

Show = Callable[[Generator, int], None]

PAST_BEST = 1e-3
"""Share by which the NLL of a last state may lie above the best one, where the last is kept."""


def pretrain(
    generator: Generator,
    train: Sequences,
    validation: Sequences,
    config: PretrainConfig,
    runtime: Runtime,
    show: Show | None = None,
) -> Pretraining:
    """Trains `generator` in place, ends with its best state, and returns the record.

    Args:
        generator: the policy.
        train: training sequences.
        validation: sequences for the learning rate, the stop and the choice of the state.
        config: settings.
        runtime: device, seed, log.
        show: as of `Pretraining`.
    """
    work = Pretraining(generator, train, validation, config, runtime, show=show)
    runtime.enter("pretrain", pretraining=work)
    work.run("MLE pretraining", "MLE")
    return work


class Convergence(NamedTuple):
    """The state in which the pretraining of a run ended.

    Attributes:
        state: converged (validation NLL had stalled for `patience` epochs when training stopped,
            whatever the schedule did to the learning rate meanwhile); still improving (the epochs
            ran out before that); past its best (a fixed number of epochs ended in a state that is
            worse on validation than one before); unknown (no history is left).
        epochs: epochs of training.
        best_epoch: the epoch with the lowest validation NLL.
        validation_nll: of the state that was kept, in nats per token; None where unknown.
    """

    state: str
    epochs: int
    best_epoch: int
    validation_nll: float | None


def convergence(history: list[float], config: PretrainConfig) -> Convergence:
    """Tells from the validation NLL after each epoch whether MLE training converged.

    Args:
        history: validation NLL in nats per token, one value per epoch.
        config: the settings that the model was trained with.
    """
    if not history:
        return Convergence("unknown", 0, 0, None)
    best, epochs = min(history), len(history)
    state = "still improving"
    if epochs - _last_progress(history) >= config.patience:
        state = "converged"
    kept = best if config.early_stopping else history[-1]
    if kept > best * (1 + PAST_BEST):
        state = "past its best"
    return Convergence(state, epochs, history.index(best) + 1, kept)


def _last_progress(history: list[float]) -> int:
    """The last epoch that improved on all before it by more than `PROGRESS`; 0 for none."""
    best, last = float("inf"), 0
    for epoch, nll in enumerate(history, start=1):
        if nll < best * (1 - PROGRESS):
            best, last = nll, epoch
    return last


FIELDS = ("epochs_done", "best_epoch", "history", "best_nll")


class Pretraining:
    """MLE training, an epoch at a time.

    Args:
        generator: the policy, trained in place.
        train: training sequences.
        validation: sequences for the learning rate, the stop and the choice of the state.
        config: settings.
        runtime: device, seed, log.
        stage: name of the training in the log, and of its random numbers.
        show: called with the generator and the number of epochs after each.
    """

    def __init__(
        self,
        generator: Generator,
        train: Sequences,
        validation: Sequences,
        config: PretrainConfig,
        runtime: Runtime,
        stage: str = "mle",
        show: Show | None = None,
    ):
        self.config, self.runtime, self.stage = config, runtime, stage
        self.show = show
        self.train, self.validation = train.to(runtime.device), validation.to(runtime.device)
        self._lengths = train.lengths.cpu()
        self.generator = generator.to(runtime.device)
        self.learner = Learner(
            generator, config.optimizer, runtime, "MLE pretraining",
            "lower --pretrain.optimizer.learning_rate",
        )  # fmt: skip
        self.loss = MLELoss(config)
        self.epochs_done = self.best_epoch = 0
        self.history: list[float] = []
        self.best_nll = float("inf")
        self.best = Kept(generator=generator)

    @property
    def finished(self) -> bool:
        """Tells if there is nothing left to do."""
        waited = self.epochs_done - _last_progress(self.history)
        stalled = self.config.early_stopping and waited >= self.config.patience
        return self.epochs_done >= self.config.epochs or stalled

    def run(self, title: str, name: str) -> None:
        """Takes the epochs that are left, and ends with the best state.

        Args:
            title: of the progress bar.
            name: begins the line about the end.
        """
        runtime, epochs = self.runtime, self.config.epochs
        with runtime.progress(title, "epochs", epochs, self.epochs_done) as bar:
            while not self.finished:
                self.epoch()
                last = f"validation NLL {self.history[-1]:.3f}"
                bar.update(self.epochs_done, f"{last}, best {self.best_nll:.3f} nats per token")
        self.best.put_back()
        state = convergence(self.history, self.config).state
        runtime.say(
            f"{name}: {self.epochs_done} epochs, validation NLL {self.best_nll:.4f} nats per token "
            f"(epoch {self.best_epoch}), {state}"
        )

    def epoch(self) -> None:
        """An epoch's steps over the training sequences, or what is left, then a measurement."""
        self.generator.train()
        for batch in self._batches():
            self.runtime.seed_dropout(self.stage, self.learner.step)
            self.runtime.count(batch.mask, self.learner.model)
            part, step = self.runtime.processes.part(len(batch)), self.learner.step
            if self.loss.share(step):
                rng = self.runtime.rng(self.stage, "inputs", step)
                with self.runtime.autocast():
                    loss = self.loss(self.generator, batch, part, step, rng)
                self.learner.update(loss)
            else:
                self.learner.update(self._loss, batch, part)
            self.runtime.pause()
        self.epochs_done += 1
        self._measure(self.learner.mean_loss())

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the generator's weights."""
        learner = self.learner.state_dict()
        best = self.best.state_dict()
        return {**fields_of(self, FIELDS), "best": best, "learner": learner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        self.best.load_state_dict(state["best"])
        self.learner.load_state_dict(state["learner"])

    def _loss(self, batch: Sequences, part: Part) -> Tensor:
        """The share of this process in the loss, if no input is one of the model's own tokens."""
        with self.runtime.autocast():
            return self.loss(self.generator, batch, part, 0, None)

    def _batches(self) -> Iterator[Sequences]:
        """The batches up to the end of the epoch; the step alone says which they are."""
        whole = -(-len(self.train) // self.config.batch_size)
        until = (self.epochs_done + 1) * (self.config.epoch_steps or whole)
        while self.learner.step < until:
            number, done = divmod(self.learner.step, whole)
            rng = self.runtime.rng(self.stage, "order", number)
            order = torch.randperm(len(self.train), generator=rng)
            for rows in order.split(self.config.batch_size)[
                done : done + until - self.learner.step
            ]:
                batch = self.train.select(rows.to(self.runtime.device))
                if reads_synchronise(self.runtime.device):  # the host knows the lengths
                    batch = batch.narrow(padded_width(self._lengths[rows], batch.tokens.shape[1]))
                yield batch

    def _measure(self, train_nll: float) -> None:
        with self.learner.averaged():
            nll = self.runtime.processes.agree(lambda: token_nll(self.generator, self.validation))
            kept = nll < self.best_nll or not self.config.early_stopping
            if kept:
                self.best.keep()
        self.history.append(nll)
        self.runtime.log(
            self.stage, self.learner.step, epoch=self.epochs_done, train_nll=train_nll,
            validation_nll=nll, learning_rate=self.learner.rate,
        )  # fmt: skip
        if self.show is not None:
            self.show(self.generator, self.epochs_done)
        self.learner.measured(nll, {"validation_nll": nll, "train_nll": train_nll})
        if nll < self.best_nll:
            self.best_nll, self.best_epoch = nll, self.epochs_done


def convergence_of(run: RunDirectory | None) -> Convergence:
    """The state of MLE, by the log of the run that it was trained in.

    A run that was itself fine-tuned from another has no such log; it has kept what was found.

    Raises:
        RunDirectoryError: the log, or what was kept, is damaged.
    """
    assert run is not None
    if (kept := run.path / PRETRAINING).is_file():
        try:
            return Convergence(**json.loads(kept.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise RunDirectoryError(f"{kept}: cannot be read ({error})") from None
    try:
        lines = [line for line in run.read_log() if line["stage"] == "mle"]
        history = {line["epoch"]: line["validation_nll"] for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(f"{run.path / LOG}: cannot be read ({error})") from None
    settings = run_config(run.config(), str(run.path / "config.yaml")).pretrain
    return convergence([history[epoch] for epoch in sorted(history)], settings)
