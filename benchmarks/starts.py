"""MLE models of one network: one that methods begin with, and others with other seeds."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rollout import Policy
from seqgan.config import RunConfig
from seqgan.data.dataset import Dataset
from seqgan.models import Generator, make_generator
from seqgan.seeding import derive_seed
from seqgan.training.members import Members
from seqgan.training.pretrain import convergence, pretrain

from .kept import Record, kept
from .recorder import Compute, Recorder

__all__ = ["Starts", "key_of"]


def key_of(config: RunConfig) -> str:
    """Names the network and the MLE training of settings: equal for equal ones."""
    facts = {"generator": type(config.generator).__name__, **_facts(config)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _facts(config: RunConfig) -> dict[str, Any]:
    return {
        "network": asdict(config.generator),
        "pretrain": asdict(config.pretrain),
        "seed": config.seed,
    }


class Starts:
    """MLE models of one network, each trained once per cell.

    Args:
        config: settings of the network and its training.
        data: the data set.
        fingerprint: of the data.
        folder: where they are kept; None: nowhere.
        runtime: makes the runtime of a training.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Dataset,
        fingerprint: str,
        folder: Path | None,
        runtime: Callable[[], Recorder],
    ):
        self.config, self.data, self.folder, self.runtime = config, data, folder, runtime
        self.about = {**_facts(config), "data": fingerprint}
        self._first: tuple[Policy, Record] | None = None
        self._members: list[tuple[Generator, Record]] = []

    def first(self) -> tuple[Policy, Record]:
        """The model that methods begin with, and the record of its training."""
        if self._first is None:
            runtime = self.runtime()
            place = None if self.folder is None else self.folder / "model"
            train = functools.partial(self._train, runtime)
            self._first = kept(place, self.about, runtime.device, train)
        return self._first

    def members(self, count: int) -> list[Generator]:
        """The first models with other seeds."""
        for number in range(len(self._members), count):
            runtime = self.runtime()
            place = None if self.folder is None else self.folder / "members" / str(number + 1)
            model: Any
            train = functools.partial(self._member, runtime, number)
            model, record = kept(place, self.about, runtime.device, train)
            model.eval().requires_grad_(False)
            self._members.append((model, record))
        return [model for model, _ in self._members[:count]]

    def compute(self, count: int) -> Compute:
        """The training of so many of the others."""
        self.members(count)
        records = [record for _, record in self._members[:count]]
        return functools.reduce(Compute.plus, map(Compute.kept, records), Compute())

    def _train(self, runtime: Recorder) -> tuple[Policy, Record]:
        seed = derive_seed(self.config.seed, "generator")
        model = make_generator(self.config.generator, self.data.spec, seed)
        with runtime.timed():
            work = pretrain(
                model, self.data.train, self.data.validation, self.config.pretrain, runtime
            )
        training = convergence(work.history, self.config.pretrain)._asdict()
        return model, {**runtime.record(), "training": training}

    def _member(self, runtime: Recorder, number: int) -> tuple[Policy, Record]:
        with runtime.timed():
            model = Members(self.config, self.data, runtime, None).train(number)
        return model, runtime.record()
