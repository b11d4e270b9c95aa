"""The oracle as MLE learns it, and what a discriminator can teach afterwards.

A tuned MLE model of the synthetic oracle (Yu et al. 2017, section 4), then both discriminators
trained against its samples, with accuracies and held-out gain over training.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from seqgan.config import CNN, LSTM, BiLSTM, CriticConfig, OracleCorpus, PretrainConfig
from seqgan.config.critic import CriticOptimizer
from seqgan.config.pretrain import PretrainOptimizer
from seqgan.config.settings import Settings
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data
from seqgan.metrics.likelihood import token_nll
from seqgan.models import make_discriminator, make_generator
from seqgan.runs.run_directory import write_json
from seqgan.seeding import derive_seed
from seqgan.training.critic import Critic
from seqgan.training.pretrain import pretrain
from seqgan.training.runtime import Runtime, make_accelerator

from .continued import facts

__all__ = ["DiscriminatorsConfig", "measure"]


@dataclass
class DiscriminatorsConfig(Settings):
    """Tuned MLE on the oracle, then both discriminators against its samples.

    Attributes:
        oracle_parameters: .npz file of the original oracle; none: one drawn from the seed.
        hidden: units of the MLE model's LSTM, and size of its embedding.
        epochs: MLE epochs at most.
        steps: discriminator steps.
        measure_every: steps between two measurements.
        negatives: samples of the MLE model to train against.
        filter_share: width of the CNN against the paper's.
        seed: of everything.
        output: JSON file for the figures; none: the terminal only.
    """

    oracle_parameters: str | None = None
    hidden: int = 64
    epochs: int = 40
    steps: int = 2_000
    measure_every: int = 200
    negatives: int = 40_000
    filter_share: float = 0.5
    seed: int = 0
    output: str | None = None
    cnn: CriticConfig = field(
        default_factory=lambda: CriticConfig(
            optimizer=CriticOptimizer(learning_rate=1e-3, weight_decay=0.0)
        )
    )
    bilstm: CriticConfig = field(default_factory=CriticConfig)


def measure(config: DiscriminatorsConfig, console: Console) -> dict[str, Any]:
    """Runs the measurement, prints its tables, and writes its figures."""
    runtime = Runtime(make_accelerator(), config.seed, None, console)
    corpus = OracleCorpus(
        parameters=config.oracle_parameters, num_train=10_000, num_validation=4_000,
        num_heldout=8_000, num_test=10_000,
    )  # fmt: skip
    data = load_data("oracle", corpus, seed=config.seed)
    started = time.time()
    generator = make_generator(
        LSTM(embedding=config.hidden, hidden=config.hidden, dropout=0.2),
        data.spec,
        derive_seed(config.seed, "generator"),
    )
    settings = PretrainConfig(
        epochs=config.epochs,
        optimizer=PretrainOptimizer(learning_rate=0.005, weight_decay=0.1),
    )
    work = pretrain(generator, data.train, data.validation, settings, runtime)
    test_nll = token_nll(generator, data.test)
    console.print(f"tuned MLE, {config.hidden} units: held-out NLL {test_nll:.4f} nats per token")
    results: dict[str, Any] = {
        **facts(seed=config.seed),
        "mle": {
            "hidden": config.hidden,
            "epochs": work.epochs_done,
            "best_epoch": work.best_epoch,
            "validation_nll": work.history,
            "test_nll": test_nll,
            "seconds": time.time() - started,
        },
    }
    for name, setting in (("cnn", config.cnn), ("bilstm", config.bilstm)):
        rows = _train(name, setting, config, data, generator, runtime)
        results[name] = rows
        console.print(_table(name, rows))
        if config.output is not None:
            write_json(Path(config.output), results)
    return results


def _train(
    name: str, setting: CriticConfig, config: DiscriminatorsConfig, data: Dataset,
    generator: Any, runtime: Runtime,
) -> list[dict[str, float]]:  # fmt: skip
    """Trains one discriminator and measures it on the way."""
    discriminator = make_discriminator(
        CNN(filter_share=config.filter_share, embedding=32, dropout=0.5)
        if name == "cnn"
        else BiLSTM(),
        data.spec,
        derive_seed(config.seed, name),
    )
    work = Critic(discriminator, generator, data.train, data.heldout, setting, runtime)
    negatives = work.draw(config.negatives, runtime.rng("negatives"), data.train)
    fresh = work.draw(2 * len(data.heldout), runtime.rng("fresh"), data.heldout)
    rows = []
    for _ in range(config.steps // config.measure_every):
        work.train_until(work.learner.step + config.measure_every, negatives)
        rows.append({"step": work.learner.step, **work.measure(negatives, fresh)})
        runtime.say(f"{name} {rows[-1]}")
    return rows


def _table(name: str, rows: list[dict[str, float]]) -> Table:
    table = Table(title=f"{name}: gains in nats per sequence")
    columns = (
        "step", "train_accuracy", "heldout_accuracy", "heldout_gain_raw", "heldout_gain",
        "heldout_gain_low", "heldout_gain_high", "heldout_effective",
    )  # fmt: skip
    for column in columns:
        table.add_column(column.removeprefix("heldout_").replace("_", " "), justify="right")
    for row in rows:
        cells = [f"{row[column]:.3f}" for column in columns[1:]]
        table.add_row(str(row["step"]), *cells)
    return table
