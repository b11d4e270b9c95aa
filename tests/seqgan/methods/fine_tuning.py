"""The rounds of any method on a tiny grammar, which can be ended and resumed without a folder."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from benchmarks.arms import Recorder
from rollout import ConstantReward, Sequences
from rollout.modules import frozen_copy
from seqgan.config import LSTM, BiLSTM, RunConfig
from seqgan.config.algorithms import Evolution
from seqgan.data.dataset import Dataset
from seqgan.data.prompts import NoPrompts
from seqgan.metrics.likelihood import token_nll
from seqgan.models import Ensemble, make_discriminator, make_generator
from seqgan.runs.saver import PHASES
from seqgan.runs.state import pack, unpack, weights_for
from seqgan.training.evolution import EvolutionUpdates
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.members import needs_ensemble
from seqgan.training.players import Materials
from seqgan.training.runtime import make_accelerator

from ...small import ids, sizes

__all__ = ["Ended", "Kept", "evolving", "settings", "tuned", "weights"]


class Ended(Exception):
    """The run was ended."""


class Watched(Recorder):
    """A runtime that counts the pauses between steps, at which a run can be ended."""

    pauses = 0


class Kept:
    """Checkpoints in memory, in the place of a run's saver.

    Args:
        saved: a checkpoint to go on from: its phase, and the states of its parts.
    """

    def __init__(self, saved: tuple[str, dict[str, Any]] | None = None):
        self.saved, self.phase, self.parts = saved, PHASES[0], {}

    def hold(self, **parts: Any) -> None:
        """Parts of every checkpoint; they take up what was saved."""
        self.parts |= parts
        for name, part in parts.items() if self.saved is not None else ():
            if (state := self.saved[1].pop(name, None)) is not None:
                part.load_state_dict(
                    weights_for(part, state) if isinstance(part, nn.Module) else state
                )

    def enter(self, phase: str, **parts: Any) -> None:
        """Begins a phase."""
        self.phase = phase
        self.parts |= parts
        if self.saved is not None and self.saved[0] == phase:
            self.hold(**parts)

    def past(self, phase: str) -> bool:
        """Tells if the saved phase is a later one."""
        return self.saved is not None and PHASES.index(self.saved[0]) > PHASES.index(phase)

    def checkpoint(self) -> tuple[str, dict[str, Any]]:
        """The state of everything, as a file would have it."""
        found = {}
        for name, part in self.parts.items():
            tensors, skeleton = pack(part.state_dict())
            found[name] = copy.deepcopy(unpack(skeleton, tensors))
        return self.phase, found

    def due(self, step: int) -> bool:
        """False: nothing is written."""
        return False

    def save(self, step: int, *names: str) -> None:
        """Writes nothing."""


def settings(name: str, **groups: Any) -> RunConfig:
    """Settings of a method with tiny networks, batches and rounds."""
    plain = RunConfig(method=name, size="smoke")
    small: dict[str, Any] = {
        "critic": {"steps": 2, "measure_every": 1, "batch_size": 8},
        "algorithm": {"batch_size": 8},
        "adversarial": {"rounds": 2, "measure_every": 2, "early_stopping": False},
    }
    for group in ("generator", "discriminator"):
        small[group] = sizes(type(getattr(plain, group))) | {"dropout": 0.1}
    if getattr(plain.algorithm, "rollouts", 0):
        small["algorithm"]["rollouts"] = 1
    for group, more in groups.items():
        small[group] = {**small.get(group, {}), **more}
    return RunConfig(method=name, size="smoke", **small)


def tuned(
    config: RunConfig, data: Dataset, kept: Kept | None = None, end: int = 0
) -> tuple[FineTuning, Watched]:
    """A method after its rounds.

    Args:
        config: the settings.
        data: the data set.
        kept: takes the checkpoints; one that holds something is gone on from.
        end: the pause between two steps at which the run is ended; 0: never.

    Raises:
        Ended: it was ended.
    """
    runtime = Watched(make_accelerator("cpu"), config.seed)
    runtime.saver = kept  # type: ignore[assignment]

    def pause() -> None:
        runtime.pauses += 1
        if runtime.pauses == end:
            raise Ended

    runtime.pause = pause  # type: ignore[method-assign]
    policy = make_generator(config.generator, data.spec, 1)
    reference = frozen_copy(policy)
    runtime.hold(generator=policy, reference=reference)
    ensemble = None
    if needs_ensemble(config):
        members = [make_generator(config.generator, data.spec, seed) for seed in (2, 3)]
        ensemble = Ensemble([each.eval().requires_grad_(False) for each in members], "minimum")
    work = FineTuning(config, data, policy, reference, runtime, ensemble)
    work.run(lambda model: {"score": token_nll(model, data.validation)})
    return work, runtime


def evolving(config: Evolution) -> EvolutionUpdates:
    """The player of an evolution whose policy knows nothing, nor does the discriminator."""
    spec = ids(4, 3)
    policy = make_generator(LSTM(embedding=4, hidden=4, dropout=0.0), spec, 0)
    judge = make_discriminator(BiLSTM(embedding=4, hidden=4), spec, 0)
    with torch.no_grad():
        for layer in (policy.head, judge.output):
            layer.weight.zero_()
            layer.bias.zero_()
    real = Sequences.from_lists([[1, 2, 3], [3, 1, 2]], pad_id=0)
    materials = Materials(
        policy, frozen_copy(policy), ConstantReward(0.0), judge, real, NoPrompts(),
        Recorder(make_accelerator("cpu"), 0),
    )  # fmt: skip
    return EvolutionUpdates(config, materials)


def weights(work: FineTuning) -> torch.Tensor:
    """All parameters of the policy, in one vector."""
    return torch.cat([each.detach().flatten() for each in work.generator.parameters()])
