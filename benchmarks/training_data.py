"""Sizes of the benchmark of training options, and data that some of them need."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rollout import Sequences
from seqgan.config import RunConfig
from seqgan.data.codec import Codec
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data, run_data
from seqgan.runs.files import write_text

__all__ = ["SIZES", "halves", "of_molecules", "of_tasks"]

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "corpus": {"num_train": 80, "num_validation": 20, "num_heldout": 20, "num_test": 30},
        "generator": {"embedding": 8, "hidden": 8},
        "discriminator": {"embedding": 8, "hidden": 8},
        "pretrain": {"epochs": 2},
        "critic": {"steps": 4, "measure_every": 2, "batch_size": 16},
        "algorithm": {"batch_size": 8, "rollouts": 1},
        "adversarial": {"rounds": 1, "measure_every": 1, "critic_steps": 1},
        "evaluation": {"num_samples": 30, "sweep_samples": 20, "resamples": 10},
    },
    "small": {
        "corpus": {
            "num_train": 1_000,
            "num_validation": 200,
            "num_heldout": 200,
            "num_test": 1_000,
        },
        "generator": {"embedding": 32, "hidden": 64},
        "discriminator": {"embedding": 16, "hidden": 16},
        "pretrain": {"epochs": 25},
        "critic": {"steps": 200, "measure_every": 50},
        "adversarial": {"rounds": 4},
        "evaluation": {"num_samples": 1_000, "sweep_samples": 500, "resamples": 200},
    },
    "quick": {
        "corpus": {
            "num_train": 2_000,
            "num_validation": 500,
            "num_heldout": 500,
            "num_test": 1_000,
        },
        "generator": {"embedding": 64, "hidden": 128},
        "critic": {"steps": 600, "measure_every": 100},
        "adversarial": {"rounds": 10},
        "evaluation": {"num_samples": 1_000, "sweep_samples": 500, "resamples": 200},
    },
}
"""Settings of each size, on top of those of ``seqgan run --size quick``."""


def halves(sequences: Sequences, share: float, rng: torch.Generator, codec: Codec) -> Sequences:
    """A function as users write them for ``--critic.augment``: a share is cut to its first half."""
    chosen = (torch.rand(len(sequences), generator=rng) < share).to(sequences.device)
    lengths = torch.where(chosen, (sequences.lengths + 1) // 2, sequences.lengths)
    tokens = sequences.tokens.masked_fill(
        torch.arange(sequences.tokens.shape[1], device=sequences.device) >= lengths[:, None],
        codec.spec.pad_id,
    )
    return Sequences(tokens, lengths, None, sequences.condition)


def of_molecules(settings: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Settings of a size on the first 5,000 molecules of a file."""
    corpus = {"tokenizer": "smiles", "num_train": 5_000, "too_long": "drop"}
    return {**settings, "data": file, "corpus": corpus}


def of_tasks(
    both: bool, settings: Mapping[str, Any], **more: Any
) -> tuple[RunConfig, Dataset, Sequences]:
    """Captions as a file, beside letters in two styles as a second task or alone.

    Args:
        both: with the second task; the task is a label.
        settings: of a size.
        more: seed, device, size of the run.

    Returns:
        The settings, the data, and test captions of words that the training captions hold.
    """
    drawn = {
        source: load_data(source, RunConfig(data=source, **settings).corpus, seed=more["seed"])
        for source in ("grammar", "styles")
    }
    with tempfile.TemporaryDirectory() as folder:
        places = {source: Path(folder, f"{source}.txt") for source in drawn}
        for source, found in drawn.items():
            lines = found.codec.texts(found.train)
            write_text(places[source], "".join(f"{line}\n" for line in lines))
        tasks = {"tasks": [str(places["styles"])]} if both else {}
        corpus = {"tokenizer": "spaces", "min_count": 1, **tasks}
        given = {**settings, "data": str(places["grammar"]), "corpus": corpus}
        config = RunConfig(**given, **more)
        data = run_data(config)
    captions = drawn["grammar"]
    known = {word for text in captions.codec.texts(captions.train) for word in text.split()}
    texts = [x for x in captions.codec.texts(captions.test) if known.issuperset(x.split())]
    assert data.spec.eos_id is not None, "captions end"
    rows = [[*data.codec.encode(text), data.spec.eos_id] for text in texts]
    rows = [row for row in rows if len(row) <= data.spec.max_length]
    test = Sequences.from_lists(rows, data.spec.pad_id)
    if both:
        label = data.conditions.labels.index("grammar")
        test = replace(test, condition={"label": torch.full((len(test),), label)})
    return config, data, test
