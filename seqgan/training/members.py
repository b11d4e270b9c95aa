"""The members of the ensemble: MLE models of the run's own data with other seeds.

They are trained between MLE and the rounds, one after the other, and each is written into the run's
folder when it is done. Models of other runs may take their place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..config import RunConfig
from ..data.dataset import Dataset
from ..errors import CheckpointError, ConfigError
from ..models import Ensemble, Generator, load_generator, make_generator, save_model
from ..runs.files import write_folder
from ..runs.run_directory import MEMBERS, RunDirectory
from ..runs.saver import read_checkpoint
from ..runs.state import weights_for
from ..seeding import derive_seed
from .pretrain import Pretraining
from .runtime import Runtime

__all__ = [
    "Members", "check_runs", "kept_ensemble", "make_ensemble", "member_sizes", "needs_ensemble",
    "run_members",
]  # fmt: skip


def needs_ensemble(config: RunConfig) -> bool:
    """Tells if a reward is made of the ensemble's density."""
    return any(term.name == "ratio" for term in config.every_term())


def make_ensemble(config: RunConfig, members: list[Generator]) -> Ensemble:
    """The ensemble that settings describe, of the first of these members."""
    chosen = config.ensemble
    count = len(members) if chosen.runs else chosen.size
    return Ensemble(members[:count], chosen.combination, chosen.quantile, chosen.temperature)


def member_sizes(members: Iterable[nn.Module], policy: nn.Module) -> dict[str, Any]:
    """Number of parameters of each member and of the policy, for results."""
    found = [sum(each.numel() for each in model.parameters()) for model in (policy, *members)]
    return {"parameters": found[1:], "policy_parameters": found[0]}


def check_runs(config: RunConfig, fingerprint: str) -> None:
    """Requires that the runs whose models are to be members have the same data and noise.

    Args:
        config: all settings.
        fingerprint: of the run's data, all splits.

    Raises:
        ConfigError: another run has other splits: its model may have seen the test sequences; or
            its model reads other noise.
        RunDirectoryError: a folder holds no run with an MLE model.
    """
    if not needs_ensemble(config):
        return
    for name in config.ensemble.runs:
        run = RunDirectory.open(name)
        run.checkpoint("mle")
        if run.data_fingerprint() != fingerprint:
            raise ConfigError(
                f"--ensemble.runs: {name} was trained on other sequences, and may have seen this "
                "run's test split; give both runs the same --data and --corpus.split_seed"
            )
        noise = config.generator.noise_size
        theirs = run.config().get("generator", {}).get("noise", 0)
        if theirs != noise:
            raise ConfigError(
                f"--ensemble.runs: {name} was trained with --generator.noise {theirs}, and this "
                f"run has {noise}; give both runs the same"
            )


class Members:
    """The training of the members, one at a time. A checkpoint keeps the one that is under way.

    Args:
        config: all settings.
        data: the data set.
        runtime: device, seed, log.
        folder: where finished members are kept; None: in memory only.

    Attributes:
        models: the finished members, frozen.
    """

    def __init__(self, config: RunConfig, data: Dataset, runtime: Runtime, folder: Path | None):
        self.config, self.data, self.runtime, self.folder = config, data, runtime, folder
        self.models: list[Generator] = []
        self.current: Pretraining | None = None

    @property
    def count(self) -> int:
        """Number of members."""
        return len(self.config.ensemble.runs) or self.config.ensemble.size

    def make(self) -> list[Generator]:
        """Trains the members that are missing, or takes them from other runs; returns all."""
        for number in range(len(self.models), self.count):
            if self.config.ensemble.runs:
                run = RunDirectory.open(self.config.ensemble.runs[number])
                model = load_generator(run.checkpoint("mle") / "generator")
                self._check(model, str(run.path))
            else:
                model = self.train(number)
            self._finish(model, number)
        return self.models

    def load(self, count: int | None = None) -> list[Generator]:
        """Reads members that were finished before.

        Raises:
            CheckpointError: one is missing or damaged.
        """
        assert self.folder is not None
        for number in range(len(self.models), self.count if count is None else count):
            place = self.folder / str(number + 1) / "generator"
            try:
                self._keep(load_generator(place))
            except CheckpointError as error:
                raise CheckpointError(
                    f"{error}; the run cannot be resumed without this member of its ensemble: "
                    "begin it again with --overwrite"
                ) from None
        return self.models

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: the member that is under way; the others have their files."""
        current = None
        if self.current is not None:
            current = {
                "weights": self.current.generator.state_dict(),
                "training": self.current.state_dict(),
            }
        return {"finished": len(self.models), "current": current}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores it."""
        self.load(int(state["finished"]))
        if state["current"] is not None:
            self.current = self._begun(len(self.models))
            self.current.generator.load_state_dict(state["current"]["weights"])
            self.current.load_state_dict(state["current"]["training"])

    def _begun(self, number: int) -> Pretraining:
        """The training of a member at its beginning."""
        config, stage = self.config, f"member-{number + 1}"
        seed = derive_seed(config.seed, "generator", stage)
        model = make_generator(config.generator, self.data.spec, seed)
        split = (self.data.train, self.data.validation)
        return Pretraining(model, *split, config.pretrain, self.runtime, stage)

    def train(self, number: int) -> Generator:
        """A member, counted from 0, after its training, or what is left of it."""
        work = self.current = self.current or self._begun(number)
        label = f"Member {number + 1} of {self.count}"
        work.run(label, label)
        model: Any = work.generator
        return model

    def _finish(self, model: Generator, number: int) -> None:
        """Keeps a member, and writes it and a checkpoint that knows of it."""
        if self.folder is not None and self.runtime.processes.is_main:
            self.folder.mkdir(exist_ok=True)
            with self.runtime.writing(f"{self.folder.name}/{number + 1}"):
                _write(model, self.folder / str(number + 1))
        self._keep(model)
        self.current = None
        self.runtime.save()

    def _keep(self, model: Generator) -> None:
        self.models.append(model.to(self.runtime.device).eval().requires_grad_(False))

    def _check(self, model: Generator, path: str) -> None:
        if model.spec != self.data.spec:
            raise ConfigError(f"--ensemble.runs: {path} has another vocabulary than this run")


def _write(model: Generator, place: Path) -> None:
    """Writes a member, in the place of one from a way that was not gone on."""
    if place.exists():
        shutil.rmtree(place)
    write_folder(place, lambda aside: save_model(model, aside / "generator"))


def run_members(config: RunConfig, data: Dataset, runtime: Runtime) -> Ensemble | None:
    """The ensemble of a run, trained or read, or None if no reward needs one."""
    if not needs_ensemble(config):
        return None
    assert runtime.run is not None
    members = Members(config, data, runtime, runtime.run.path / MEMBERS)
    if runtime.past("members"):
        return make_ensemble(config, members.load())
    runtime.enter("members", members=members)
    return make_ensemble(config, members.make())


def kept_ensemble(
    config: RunConfig, directory: RunDirectory, device: torch.device
) -> Ensemble | None:
    """The ensemble of a finished run, its members as the rounds have left them; None: it has none.

    Args:
        config: settings of the run.
        directory: its folder.
        device: where the members are to lie.

    Raises:
        CheckpointError: a member is missing or damaged.
    """
    if not needs_ensemble(config) or not directory.has("finetuned"):
        return None
    count = len(config.ensemble.runs) or config.ensemble.size
    places = [directory.path / MEMBERS / str(number + 1) for number in range(count)]
    ensemble = make_ensemble(config, [load_generator(x / "generator", device) for x in places])
    if config.ensemble.refresh:
        parts = read_checkpoint(directory.checkpoint("finetuned")).parts
        ensemble.load_state_dict(weights_for(ensemble, parts["refresh"]["members"]))
    return ensemble.eval()
