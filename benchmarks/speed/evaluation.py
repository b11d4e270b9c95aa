"""Seconds of an evaluation by what takes them.

Two models of the caption grammar are measured and compared as at the end of a run, without the
control. The time of a part is its own: what it asks of another part counts there. On a CUDA device
each part ends when the device has done its work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from rollout.modules import own_copy
from rollout.randomness import seed_everything
from seqgan.config import LSTM, EvaluationConfig, GrammarCorpus, PretrainConfig
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data
from seqgan.evaluation.comparison import Swept, compare_with_control
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.sweep import Sweep
from seqgan.models import Generator, make_generator
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator

__all__ = ["EvaluationSizes", "Shares", "evaluation"]

PARTS = {
    "samples": ("draw",),
    "likelihoods": ("sequence_scores",),
    "n-grams": (
        "bleu",
        "self_bleu",
        "backward_bleu",
        "ms_jaccard",
        "distinct_n",
        "repetition",
        "copied_share",
        "longest_copied",
        "unique_share",
    ),
    "intervals": ("statistic_interval",),
    "differences": ("difference",),
}
"""Names in the modules of `seqgan.evaluation`, by part; what is left is "the rest"."""
DECODED = ("tokens", "texts")
"""Methods of the data's codec, which are the part "decoding"."""


class EvaluationSizes(NamedTuple):
    """Numbers of sequences.

    Attributes:
        samples: of each model, and of the test split.
        sweep: of each model at each temperature.
        resamples: of each interval.
        epochs: of the models' MLE.
    """

    samples: int = 5_000
    sweep: int = 2_000
    resamples: int = 1_000
    epochs: int = 5


TINY = EvaluationSizes(40, 20, 20, 1)


class Shares:
    """Seconds by part: a stack of parts, of which the innermost one runs.

    Args:
        device: whose work is waited for where a part begins or ends.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def of(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, whose time counts for a part."""

        def counted(*arguments: Any, **more: Any) -> Any:
            with self.within(part):
                return work(*arguments, **more)

        return counted

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """Work of a part, in the middle of another or not."""
        self._count()
        self._open.append(part)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def _count(self) -> None:
        """Counts the time since the last call for the part that runs."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        if self._open:
            part = self._open[-1]
            self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now


def evaluation(device: torch.device, seed: int, sizes: EvaluationSizes) -> dict[str, Any]:
    """Seconds of the parts of one evaluation: "sizes", and "rows" with "part" and "seconds"."""
    data, mle, tuned = _models(device, seed, sizes)
    config = EvaluationConfig(
        num_samples=sizes.samples, sweep_samples=sizes.sweep, resamples=sizes.resamples,
        control=False,
    )  # fmt: skip
    shares = Shares(device)
    for name in DECODED:
        setattr(data.codec, name, shares.of("decoding", getattr(data.codec, name)))
    with counted(shares), shares.within("the rest"):
        evaluator = Evaluator(data, config, seed)
        for name, model in (("mle", mle), ("finetuned", tuned)):
            evaluator.model(model, name)
        evaluator.real()
        sweep = Sweep(data, config, seed)
        sweep.settle(mle)
        compare_with_control(Swept(mle, sweep), Swept(tuned, sweep), None)
    rows = [{"part": part, "seconds": spent} for part, spent in shares.seconds.items()]
    return {
        "sizes": sizes._asdict(),
        "rows": sorted(rows, key=lambda row: -float(str(row["seconds"]))),
    }


@contextmanager
def counted(shares: Shares) -> Iterator[None]:
    """Lets the functions of the parts count their time wherever `seqgan.evaluation` uses them."""
    part_of = {name: part for part, names in PARTS.items() for name in names}
    kept: list[tuple[Any, str, Any]] = []
    for place, module in list(sys.modules.items()):
        if not place.startswith("seqgan.evaluation"):
            continue
        for name in part_of.keys() & vars(module).keys():
            if callable(work := getattr(module, name)):  # a module may have its name
                kept.append((module, name, work))
    try:
        for module, name, work in kept:
            setattr(module, name, shares.of(part_of[name], work))
        yield
    finally:
        for module, name, work in kept:
            setattr(module, name, work)


def _models(
    device: torch.device, seed: int, sizes: EvaluationSizes
) -> tuple[Dataset, Generator, Generator]:
    """Data, a model after some MLE, and a slightly other one."""
    corpus = GrammarCorpus(
        num_train=2_000, num_validation=sizes.sweep, num_heldout=20, num_test=sizes.samples
    )
    data = load_data("grammar", corpus, seed=seed)
    runtime = Runtime(make_accelerator(str(device), trackers=()), seed)
    mle = make_generator(LSTM(embedding=32, hidden=32, dropout=0.0), data.spec, seed)
    config = PretrainConfig(epochs=sizes.epochs, early_stopping=False)
    few = data.validation.select(slice(0, 20))
    work = Pretraining(mle, data.train, few, config, runtime)
    while not work.finished:
        work.epoch()
    tuned = own_copy(mle)
    seed_everything(seed)
    with torch.no_grad():
        tuned.head.bias.add_(0.05 * torch.randn_like(tuned.head.bias))
    return data, mle.eval(), tuned.eval()
