"""Training steps of every generator in float64, and the weights they end with.

``python -m torch.distributed.run --nproc_per_node 2 -m tests.seqgan.shared_generators FILE MODEL``
"""

from __future__ import annotations

import sys

import torch
from safetensors.torch import save_file
from torch import Tensor

from seqgan.config import CNN, GENERATORS, BiLSTM, CriticConfig, GrammarCorpus, PretrainConfig
from seqgan.config.drawn_corpus import TranslationCorpus
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data
from seqgan.models import make_discriminator, make_generator
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator

from ..small import known_to_models, small
from .rounds import work_of
from .settings import changed, run_settings

SIZES = {"num_train": 31, "num_validation": 6, "num_heldout": 8, "num_test": 4}
BATCH = 7
"""Sequences that do not fall into equal parts."""
CASES = {
    **{name: ("grammar", name, {}) for name in GENERATORS},
    "lstm with noise": ("grammar", "lstm", {"noise": 2}),
    "pretrained by adapters": ("grammar", "pretrained", {"lora_rank": 2}),
    "lstm that reads sources": ("translation", "lstm", {}),
    "transformer that reads sources": ("translation", "transformer", {}),
}
"""Data, architecture and settings by name."""


def trained(data: Dataset, name: str, model: str, more: dict[str, int]) -> dict[str, Tensor]:
    """The parameters that training changes, after steps of MLE and of both players."""
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    kind = GENERATORS[name]
    if kind.files:  # of a library that writes files in the main process alone
        settings = kind(model=model, dropout=0.0, **more)
    else:
        settings = small(kind, dropout=0.0, **more)
    generator = make_generator(settings, known_to_models(data.spec), 0).double()
    config = PretrainConfig(optimizer={"learning_rate": 1e-2}, batch_size=11)
    if not generator.noise_size:  # which MLE draws in each process, as it does dropout
        Pretraining(generator, data.train, data.validation, config, runtime).epoch()
    rounds = run_settings(batch_size=BATCH, rollouts=1, learning_rate=1e-2, critic_steps=1)
    judge = make_discriminator(
        small(CNN if name == "leak" else BiLSTM, dropout=0.0), data.spec, 0
    ).double()
    rounds = changed(rounds, critic=CriticConfig(batch_size=BATCH))
    work = work_of(generator, judge, data, rounds, runtime)
    work.round()
    return {key: value.clone() for key, value in generator.state_dict().items()}


def all_generators(model: str) -> dict[str, Tensor]:
    """The parameters of all cases.

    Args:
        model: folder of a pretrained one.
    """
    data = {
        "grammar": load_data("grammar", GrammarCorpus(**SIZES), seed=1),
        "translation": load_data("translation", TranslationCorpus(**SIZES), seed=1),
    }
    return {
        f"{case}/{key}": value
        for case, (source, name, more) in CASES.items()
        for key, value in trained(data[source], name, model, more).items()
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = all_generators(sys.argv[2])
    processes = Runtime(make_accelerator("cpu"), seed=3).processes
    assert processes.count == 2
    flat = torch.cat([value.double().flatten() for value in found.values()])
    for other in processes.gather(flat[None], processes.part(2)):
        assert torch.equal(other, flat)  # the same weights everywhere, to the bit
    if processes.is_main:
        save_file(found, sys.argv[1])
    processes.part_ways()
