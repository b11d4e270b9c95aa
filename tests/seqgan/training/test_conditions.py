"""A condition of the data reaches the models, or is refused before anything is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rollout import Sequences
from seqgan import pipeline
from seqgan.config import RunConfig
from seqgan.data.dataset import fingerprint
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.training import begin as module


def labelled(split: Sequences, value: int = 0) -> Sequences:
    """The same sequences, all with one label."""
    labels = torch.full((len(split),), value)
    return Sequences(split.tokens, split.lengths, split.terminated, {"mood": labels})


@pytest.fixture(scope="module")
def config():
    return RunConfig(size="smoke", corpus={"num_train": 40, "num_test": 30})


@pytest.fixture(scope="module")
def data(config):
    return load_data("grammar", config.corpus, seed=0)


def test_models_that_read_none_are_refused(config, data, tmp_path, monkeypatch):
    given = replace(data, train=labelled(data.train))
    monkeypatch.setattr(module, "data_of", lambda *_: given)
    with pytest.raises(ConfigError, match="--generator.architecture: lstm reads no mood"):
        pipeline.run(replace(config, output_dir=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_other_labels_are_other_data(data):
    marks = {fingerprint(replace(data, train=labelled(data.train, value))) for value in (0, 1)}
    assert len(marks | {fingerprint(data)}) == 3
