"""Checks the toolkit on a GPU with one command, and measures it there.

Run ``python -m benchmarks.gpu_check`` (``make gpu``) in a checkout. One line per check with its
seconds, exit code 1 if one failed, 2 without a CUDA device. How long all of it takes on a GPU has
not been measured yet. ``--all`` (``make gpu-all``) tries each generator with each discriminator.
``--device cpu --tiny`` runs the same program anywhere, to see that it works.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import torch

__all__ = ["Check", "checks", "main", "report"]

_ROOT = Path(__file__).parents[1]


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
    parser.add_argument("--peer", help="a checkout of TextGAN-PyTorch, timed in the same process")
    parser.add_argument("--output", help="the outcomes are written to this JSON file")
    given = parser.parse_args(argv)
    if given.device == "cuda" and not torch.cuda.is_available():
        print("gpu_check: torch sees no CUDA device; --device cpu --tiny tries the program itself")
        return 2
    if given.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before cuBLAS is loaded
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    todo = checks(given.device, given.all, given.tiny, given.peer)
    outcomes = [_done(each) for each in todo]
    print(report(outcomes))
    if given.output:
        rows = [each._asdict() for each in outcomes]
        machine = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
        text = json.dumps({"device": machine, "torch": torch.__version__, "checks": rows}, indent=1)
        Path(given.output).write_text(text + "\n", encoding="utf-8")
    return int(any(each.failed for each in outcomes))


def checks(device: str, everything: bool, tiny: bool, peer: str | None = None) -> list[Check]:
    """The checks, in the order in which they are done.

    Args:
        device: cuda, or cpu to try the program.
        everything: each generator with each discriminator, each method in each precision.
        tiny: the first of each kind, tiny sizes.
        peer: a checkout of TextGAN-PyTorch that is timed too; None: none.
    """
    # Torch reads settings of the environment when cuBLAS is loaded.
    from .gpu import kernels, runs, steps

    found = [
        Check("fused sampling", lambda folder: kernels.sampling(device, tiny)),
        Check("fused sampling, sizes", lambda folder: kernels.shapes(device, tiny)),
    ]
    if device == "cuda":
        found.append(Check("tests for a GPU", run_tests))
    found += [
        Check("speed", partial(speed, device, tiny, peer)),
        Check("rollouts with EOS", lambda folder: kernels.endings(device, tiny)),
        Check("steps as graphs", lambda folder: steps.equal(device)),
        Check("a step that no graph holds", lambda folder: steps.broken(device)),
        Check("a run with graphs", partial(runs.graphs, device)),
    ]
    for name, words in trainings(precisions(device), everything, tiny):
        found.append(Check(name, partial(runs.train, device, words)))
    for method in [] if tiny else one_of_each_algorithm():
        found.append(Check(f"smoke run, {method}", partial(runs.smoke_run, device, method)))
    found.append(Check("a resumed run", partial(runs.resumed, device)))
    return found


def trainings(kinds: list[str], everything: bool, tiny: bool) -> list[tuple[str, list[str]]]:
    """Names and flags: every architecture in each precision, and every method.

    Args:
        kinds: the precisions of the device, 32 bits first.
        everything: each generator with each discriminator, each method in each precision.
        tiny: the first of each kind.
    """
    from seqgan.config import DISCRIMINATORS, GENERATORS
    from seqgan.config.methods import method_names

    # A generator that goes with one discriminator alone is checked as its method.
    free = [name for name, kind in GENERATORS.items() if not getattr(kind, "judge", None)]
    pairs: Any = itertools.zip_longest(free, DISCRIMINATORS)
    if everything:
        pairs = itertools.product(free, DISCRIMINATORS)
    names, pairs, exact = method_names(), list(pairs), kinds[:1]
    if tiny:
        names, pairs, kinds = names[:1], pairs[:1], kinds[-1:]
    found = []
    for (generator, discriminator), kind in itertools.product(pairs, kinds):
        words = chosen("generator", generator) + chosen("discriminator", discriminator)
        generator = generator or next(iter(GENERATORS))
        discriminator = discriminator or next(iter(DISCRIMINATORS))
        words += ["--precision", kind]
        found.append((f"{generator}, {discriminator}, {kind}", words))
    # Steps in fp16 are never recorded: each kind of update is tried in 32 bits too.
    firsts = one_of_each_algorithm()
    for place, method in enumerate(names):
        own = kinds if everything else [kinds[place % len(kinds)]]
        for kind in dict.fromkeys([*own, *(exact if method in firsts else [])]):
            words = ["--method", method, "--precision", kind]
            found.append((f"method {method}, {kind}", words))
    return found


def one_of_each_algorithm() -> list[str]:
    """The first method with each kind of update."""
    from seqgan.config.methods import method_names, read_method

    found: dict[str, str] = {}
    for name in method_names():
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


def run_tests(folder: Path) -> str:
    """The tests that need a GPU, and those of the kernels, which run on it here."""
    import pytest

    places = [str(_ROOT / "tests" / each) for each in ("gpu", "rollout/kernels")]
    out = StringIO()
    with redirect_stdout(out):
        code = pytest.main(["-q", "-p", "no:cacheprovider", "--basetemp", str(folder), *places])
    last = (out.getvalue().strip().splitlines() or ["no output"])[-1]
    if code:
        print(out.getvalue())
        raise AssertionError(last)
    return last.strip("= ")


def speed(device: str, tiny: bool, peer: str | None, folder: Path) -> str:
    """Operations, evaluation and large models, as ``seqgan-bench speed`` prints them."""
    from rich.console import Console

    from .speed.engine import SpeedConfig, measure

    parts = ("operations", "evaluation", "large")
    config = SpeedConfig(device=device, parts=parts, repeats=1 if tiny else 3, tiny=tiny, peer=peer)
    found = measure(config, Console(quiet=tiny))
    shown = ("rollouts", "rewards, fp32", "MLE epoch", "discriminator epoch")
    lines = [row for row in found["operations"] if row["name"].startswith(shown)]
    return "; ".join(f"{row['name']} {row['seconds']:.4f} s" for row in lines)


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


if __name__ == "__main__":
    sys.exit(main())
