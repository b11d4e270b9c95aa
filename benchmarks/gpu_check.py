"""Checks the toolkit on a GPU with one command, and measures what has not been measured yet.

Run ``python -m benchmarks.gpu_check`` (``make gpu``) in a checkout. One line per check with its
seconds, exit code 1 if one failed, 2 without a CUDA device. How long all of it takes on a GPU has
not been measured yet. ``--all`` (``make gpu-all``) tries each generator with each discriminator.
``--device cpu --tiny`` runs the same program anywhere, to see that it works.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch

from .language_model import flags_of, write_encoder, write_language_model

__all__ = ["Check", "checks", "main", "report"]

Row = dict[str, Any]
_ROOT = Path(__file__).parents[1]
_BAD = ("no CUDA graph could be recorded", "Triton's kernels do not run here")
"""Lines by which a run says that it goes on without what is to be checked."""
_GRAMMAR = [
    "--data", "grammar", "--corpus.num_train", "64", "--corpus.num_heldout", "20",
    "--corpus.num_validation", "20", "--corpus.num_test", "30",
]  # fmt: skip
_SMALL = [
    "--size", "smoke", "--evaluation.num_samples", "30", "--evaluation.sweep_samples", "20",
    "--evaluation.temperatures", "[0.9,1.0]", "--evaluation.resamples", "20",
    "--trackers", "[]",
]  # fmt: skip


class Check(NamedTuple):
    """One line of the table.

    Attributes:
        name: of the line.
        work: does it in a folder of its own and returns a note; raises what goes wrong.
    """

    name: str
    work: Callable[[Path], str]


class Outcome(NamedTuple):
    """A check that was done.

    Attributes:
        name: of the line.
        seconds: that it took.
        note: what was found, or the first line of the error.
        failed: tells if something went wrong.
    """

    name: str
    seconds: float
    note: str
    failed: bool


def main(argv: list[str] | None = None) -> int:
    """Does all checks and prints the table; see the module."""
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--all", action="store_true", help="each generator with each discriminator")
    parser.add_argument("--tiny", action="store_true", help="the first of each kind, tiny sizes")
    parser.add_argument("--output", help="the outcomes are written to this JSON file")
    given = parser.parse_args(argv)
    if given.device == "cuda" and not torch.cuda.is_available():
        print("gpu_check: torch sees no CUDA device; --device cpu --tiny tries the program itself")
        return 2
    if given.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before cuBLAS is loaded
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    outcomes = [_done(each) for each in checks(given.device, given.all, given.tiny)]
    print(report(outcomes))
    if given.output:
        rows = [each._asdict() for each in outcomes]
        machine = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
        text = json.dumps({"device": machine, "torch": torch.__version__, "checks": rows}, indent=1)
        Path(given.output).write_text(text + "\n", encoding="utf-8")
    return int(any(each.failed for each in outcomes))


def checks(device: str, everything: bool, tiny: bool) -> list[Check]:
    """The checks, in the order in which they are done."""
    from seqgan.config import DISCRIMINATORS, GENERATORS
    from seqgan.config.methods import method_names

    kinds = precisions(device)
    # A generator that goes with one discriminator alone is checked as its method.
    free = [name for name, kind in GENERATORS.items() if not getattr(kind, "judge", None)]
    pairs: Any = itertools.zip_longest(free, DISCRIMINATORS)
    if everything:
        pairs = itertools.product(free, DISCRIMINATORS)
    names, pairs = method_names(), list(pairs)
    smoke = one_of_each_algorithm(names)
    if tiny:
        names, pairs, kinds, smoke = names[:1], pairs[:1], kinds[-1:], []
    found = [Check("fused sampling", lambda folder: sampling(device, tiny))]
    if device == "cuda":
        found.append(Check("tests for a GPU", run_tests))
    found.append(Check("speed", partial(speed, device, tiny)))
    found.append(Check("rollouts with EOS", lambda folder: endings(device, tiny)))
    found.append(Check("steps as graphs", partial(graphs, device)))
    for (generator, discriminator), kind in itertools.product(pairs, kinds):
        words = chosen("generator", generator) + chosen("discriminator", discriminator)
        name = (
            f"{generator or next(iter(GENERATORS))}, {discriminator or next(iter(DISCRIMINATORS))}"
        )
        found.append(Check(f"{name}, {kind}", partial(run, device, [*words, "--precision", kind])))
    for number, (method, kind) in enumerate(itertools.product(names, kinds)):
        place, which = divmod(number, len(kinds))
        if not everything and which != place % len(kinds):
            continue  # a precision for each method, in turn
        words = ["--method", method, "--precision", kind]
        found.append(Check(f"method {method}, {kind}", partial(run, device, words)))
    for method in smoke:
        found.append(Check(f"smoke run, {method}", partial(smoke_run, device, method)))
    found.append(Check("a resumed run", partial(resumed, device)))
    return found


def one_of_each_algorithm(names: list[str]) -> list[str]:
    """The first method with each kind of update."""
    from seqgan.config.methods import read_method

    found: dict[str, str] = {}
    for name in names:
        found.setdefault(read_method(name).settings["algorithm"]["name"], name)
    return [*found.values()]


def precisions(device: str) -> list[str]:
    """The precisions that a device has."""
    if device == "cpu":
        return ["no", "bf16"]
    return ["no", *(["bf16"] if torch.cuda.is_bf16_supported() else []), "fp16"]


def chosen(group: str, name: str | None) -> list[str]:
    """Flags for an architecture; none for the default one."""
    return [] if name is None else [f"--{group}.architecture", name]


def sampling(device: str, tiny: bool) -> str:
    """Draws of the kernel against the plain way, on a CUDA device; times of both."""
    from rollout import Sampler
    from rollout.kernels import fused_sampling_works

    rows, hidden, vocabulary = (8, 16, 100) if tiny else (19_456, 32, 5_000)
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(rows, hidden, generator=rng).to(device)
    weight = torch.randn(vocabulary, hidden, generator=rng).to(device) * 0.5
    bias = torch.randn(vocabulary, generator=rng).to(device) * 0.1
    uniforms = torch.rand(rows, generator=rng, dtype=torch.float64).to(device)

    def plain() -> torch.Tensor:
        logits = torch.nn.functional.linear(features, weight, bias)
        return Sampler().sample(logits, uniforms)

    if not fused_sampling_works(torch.device(device)):
        if device == "cuda":
            raise RuntimeError("the kernel does not run here: is Triton installed?")
        return f"no kernel on this device; plain {1e3 * _seconds(plain, device):.2f} ms"
    from rollout.kernels.sampling import sample

    fused = partial(sample, features, weight, bias, uniforms)
    logits = features.double() @ weight.double().t() + bias.double()
    exact = torch.searchsorted(logits.softmax(-1).cumsum(-1), uniforms[:, None])[:, 0]
    share = float((fused() == exact).double().mean())
    times = [1e3 * _seconds(each, device) for each in (fused, plain)]
    if share < 0.999:
        raise AssertionError(f"only {share:.2%} of the draws are those of float64")
    return f"{share:.2%} as in float64; {times[0]:.2f} ms, plain {times[1]:.2f} ms"


def run_tests(folder: Path) -> str:
    """The tests that need a GPU, and those of the kernels, which run on it here."""
    import pytest

    places = [str(_ROOT / "tests" / each) for each in ("gpu", "rollout/kernels")]
    out = io.StringIO()
    with redirect_stdout(out):
        code = pytest.main(["-q", "-p", "no:cacheprovider", "--basetemp", str(folder), *places])
    last = (out.getvalue().strip().splitlines() or ["no output"])[-1]
    if code:
        print(out.getvalue())
        raise AssertionError(last)
    return last.strip("= ")


def speed(device: str, tiny: bool, folder: Path) -> str:
    """The operations of ``seqgan-bench speed``, whose table is printed."""
    from rich.console import Console

    from .speed.engine import SpeedConfig, measure

    config = SpeedConfig(device=device, parts=("operations",), repeats=1 if tiny else 3, tiny=tiny)
    found = measure(config, Console(quiet=tiny))
    times = {each["name"]: each["seconds"] for each in found["operations"]}
    return f"rollouts {times['rollouts']:.4f} s, rewards {times['rewards, fp32']:.4f} s"


def endings(device: str, tiny: bool) -> str:
    """Rollouts with EOS: ended rows dropped on the way, or all rows to the end as one graph."""
    from rollout import Sequences, action_values, generate
    from rollout.graphs import Graphs
    from rollout.randomness import seeded_generator
    from seqgan.config import LSTM
    from seqgan.data.spec import TokenSpec
    from seqgan.models import make_generator

    size, length, batch, rollouts = (100, 6, 4, 2) if tiny else (5_000, 32, 64, 16)
    policy = make_generator(LSTM(), TokenSpec(size, 1, 2, 0, length, (0, 1)), 0).to(device).eval()
    with torch.no_grad():  # sequences end after half of the length
        policy.head.bias[2] = math.log(2 * size / length)
    given, failures = generate(policy, batch, rng=seeded_generator(0)), list[str]()

    def lengths(sequences: Sequences) -> torch.Tensor:
        return sequences.lengths.float()

    def values(compact_every: int | None, graphs: Graphs | None) -> torch.Tensor:
        return action_values(
            policy, given, lengths, rollouts, rng=seeded_generator(1),
            compact_every=compact_every, graphs=graphs,
        )  # fmt: skip

    ways = [partial(values, None, None), partial(values, 0, Graphs(on_failure=failures.append))]
    for _ in range(3):  # shapes are recorded at their third time
        found = [way() for way in ways]
    times = [_seconds(way, device) for way in ways]
    if failures:
        raise RuntimeError(failures[0])
    apart = float((found[0] - found[1]).abs().mean())
    if apart > 0.05:  # rounding may draw another token now and then
        raise AssertionError(f"values differ by {apart:.2f} tokens on average")
    return f"ended rows dropped {times[0]:.4f} s, one graph {times[1]:.4f} s"


LOGGED = {
    ("mle", "validation_nll"): 1e-4,
    ("discriminator", "heldout_cross_entropy"): 1e-2,
    ("adversarial", "entropy"): 1e-2,
    ("validation", "nll"): 1e-3,
}
"""Numbers of a run's log, in nats, and how far two runs may be apart that differ in rounding."""


def graphs(device: str, folder: Path) -> str:
    """MLE, discriminator and rounds with and without graphs: the same log."""
    logs, times = [], []
    for switch in ("true", "false"):
        start = time.perf_counter()
        words = ["--graphs", switch, "--generator.dropout", "0.0"]
        run(device, words, folder / switch)
        times.append(time.perf_counter() - start)
        lines = (folder / switch / "run" / "metrics.jsonl").read_text().splitlines()
        logs.append([json.loads(line) for line in lines])
    found = differences(*logs)
    for (stage, name), apart in found.items():
        if apart > LOGGED[stage, name]:
            raise AssertionError(f"{stage}/{name} differs by {apart:.1e} nats")
    most = max(found.values())
    return f"log within {most:.0e} nats; {times[0]:.1f} s, without graphs {times[1]:.1f} s"


def differences(one: list[Row], other: list[Row]) -> dict[tuple[str, str], float]:
    """The largest difference between two logs of each number in `LOGGED`.

    Raises:
        AssertionError: a log lacks one of them, or has it more often than the other.
    """
    found = {}
    for stage, name in LOGGED:
        values = [[row[name] for row in log if row["stage"] == stage] for log in (one, other)]
        if not values[0] or len(values[0]) != len(values[1]):
            raise AssertionError(f"{stage}/{name}: {len(values[0])} and {len(values[1])} numbers")
        found[stage, name] = max(abs(x - y) for x, y in zip(*values, strict=True))
    return found


def run(device: str, words: list[str], folder: Path) -> str:
    """A run through all phases with few steps; its report, which takes longest, is left out."""
    data = _GRAMMAR
    if "pretrained" in words:  # it reads text that its own tokenizer has cut
        write_language_model(folder / "model")
        data = [*flags_of(folder / "model"), "--generator.model", str(folder / "model")]
    if any(each.endswith("encoder") for each in words):  # it begins with a pretrained one
        write_encoder(folder / "encoder")
        data = [*data, "--discriminator.encoder", str(folder / "encoder")]
    words = [*data, *_SMALL, *words, "--device", device, "--output_dir", str(folder / "run")]
    with patch("seqgan.pipeline.write_report", lambda run: run.path):
        _command("run", *words)
    return _verdict(folder / "run")


def smoke_run(device: str, method: str, folder: Path) -> str:
    """A run of the size smoke as a user would start it."""
    words = ["--data", "grammar", "--size", "smoke", "--method", method, "--device", device]
    _command("run", *words, "--output_dir", str(folder / "run"))
    return _verdict(folder / "run")


def resumed(device: str, folder: Path) -> str:
    """A run that is resumed from a checkpoint in its middle ends as it did before."""
    words = ["--checkpoint.every_steps", "1", "--checkpoint.keep", "100"]
    with _deterministic():
        run(device, words, folder)
        path = folder / "run"
        places = sorted(each for each in (path / "checkpoints").glob("step-*") if each.is_dir())
        before = _weights(path)
        with patch("seqgan.pipeline.write_report", lambda run: run.path):
            _command("run", "--resume", str(places[len(places) // 2]), "--device", device)
    after = _weights(path)
    apart = max(float((before[name] - after[name]).abs().max()) for name in before)
    if apart > 1e-6:
        raise AssertionError(f"the weights differ by {apart:.1e} from those of the whole run")
    return f"weights within {apart:.0e} of the whole run's"


def report(outcomes: list[Outcome]) -> str:
    """The table."""
    wide = max(len(each.name) for each in outcomes)
    lines = [
        f"{each.name:<{wide}}  {each.seconds:7.1f} s  {'FAILED' if each.failed else 'ok':<6}  "
        f"{each.note}"
        for each in outcomes
    ]
    failed, total = sum(each.failed for each in outcomes), sum(each.seconds for each in outcomes)
    end = f"{len(outcomes)} checks, {failed} failed, {total:.0f} s"
    return "\n".join([*lines, end])


def _done(check: Check) -> Outcome:
    start, failed = time.perf_counter(), False
    folder = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    try:
        note = check.work(folder)
    except Exception as error:  # whatever it is, the other checks are done too
        failed, lines = True, str(error).strip().splitlines()
        note = f"{type(error).__name__}: {lines[0] if lines else ''}"
        traceback.print_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - start
    print(f"{check.name}: {'FAILED' if failed else 'ok'} ({seconds:.1f} s)", flush=True)
    return Outcome(check.name, seconds, note, failed)


def _command(*words: str) -> None:
    """A command of ``seqgan``; its output is shown if it fails."""
    from seqgan.cli.main import main as seqgan

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = seqgan(list(words))
    text = out.getvalue()
    bad = next((line for line in text.splitlines() if any(each in line for each in _BAD)), None)
    if code or bad:
        print(text)
        raise AssertionError(bad or f"exit code {code}: {text.strip().splitlines()[-1]}")


def _verdict(path: Path) -> str:
    """The verdict of a finished run."""
    results = json.loads((path / "results.json").read_text(encoding="utf-8"))
    return str(results["verdict"]["label"])


def _weights(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    place = path / "checkpoints" / (path / "checkpoints" / "finetuned").read_text().strip()
    return load_file(place / "generator.safetensors")


def _seconds(work: Callable[[], object], device: str) -> float:
    """Time of one call, the mean of ten after three."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        work()
    wait()
    start = time.perf_counter()
    for _ in range(10):
        work()
    wait()
    return (time.perf_counter() - start) / 10


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


if __name__ == "__main__":
    sys.exit(main())
