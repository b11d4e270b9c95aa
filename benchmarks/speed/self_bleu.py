"""Times leave-one-out self-BLEU-2 to 5 against fast-bleu (C++) and NLTK.

Usage:
    python -m benchmarks.speed.self_bleu --data captions.txt
    python -m benchmarks.speed.self_bleu --data captions.txt --million

Every time is from lists of lists of strings to scores, the conversion of strings included, and the
strings are made anew for each repetition (Python keeps the hash of a string it has once looked up).
fast-bleu runs in the same process where it is installed (``pip install fast-bleu``). NLTK is timed
on a few sentences against all the others and scaled to the whole set.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import numpy as np

from seqgan.metrics import self_bleu

ORDERS = (2, 3, 4, 5)
Sentences = list[list[str]]
Scores = dict[int, float]


def main(arguments: list[str] | None = None) -> None:
    """Runs the measurements and prints them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a text file, one sentence per line")
    parser.add_argument("--sentences", type=int, default=10_000, help="lines to take")
    parser.add_argument("--repeats", type=int, default=15, help="repetitions of ours")
    parser.add_argument("--fast-repeats", type=int, default=2, help="repetitions of fast-bleu")
    parser.add_argument("--nltk-sentences", type=int, default=3, help="NLTK's sample; 0 skips it")
    parser.add_argument("--threads", type=int, default=2, help="threads that fast-bleu may use")
    parser.add_argument(
        "--million", action="store_true", help="also 1,000,000 sentences of 10 tokens, and memory"
    )
    options = parser.parse_args(arguments)
    if options.data is None and not options.million:
        parser.error("give --data FILE, --million or both")
    # Read by the OpenMP runtime when fast-bleu loads it, which it has not done yet.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    print(f"Python {platform.python_version()}, {versions(['numpy', 'nltk', 'fast-bleu'])}")
    print(f"{os.cpu_count()} CPUs, {options.threads} threads for fast-bleu; ours uses one")
    if options.data is not None:
        compare(options)
    if options.million:
        measure_million(seed=0)


def versions(packages: Iterable[str]) -> str:
    """The installed versions of packages, for the record."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def compare(options: argparse.Namespace) -> None:
    """Ours, fast-bleu and NLTK on the sentences of a file."""
    lines = options.data.read_text(encoding="utf-8").splitlines()[: options.sentences]
    print(f"\nself-BLEU-2 to 5 of {len(lines):,} sentences of {options.data.name}")
    ours, scores = timed(lambda rows: self_bleu(rows, max(ORDERS)), lines, options.repeats)
    print(row("ours", ours, scores))
    if importlib.util.find_spec("fast_bleu") is None:
        print("fast-bleu     not installed, not measured (pip install fast-bleu)")
    else:
        fast, fast_scores = timed(by_fast_bleu, lines, options.fast_repeats)
        print(row("fast-bleu", fast, fast_scores))
        print(f"              largest difference to ours {difference(scores, fast_scores):.1e}")
        ratio = statistics.median(fast) / statistics.median(ours)
        print(f"              fast-bleu / ours = {ratio:.0f} (medians)")
    if options.nltk_sentences > 0:
        compare_nltk(lines, options.nltk_sentences, statistics.median(ours))


def timed(
    work: Callable[[Sentences], Scores], lines: list[str], repeats: int
) -> tuple[list[float], Scores]:
    """Wall-clock seconds of each repetition on fresh strings, and the scores of the last."""
    seconds = []
    for _ in range(repeats):
        rows = [line.split() for line in lines]
        start = time.perf_counter()
        scores = work(rows)
        seconds.append(time.perf_counter() - start)
    return seconds, scores


def by_fast_bleu(rows: Sentences) -> Scores:
    """Mean self-BLEU by fast-bleu, which counts the references once for all sentences as well."""
    from fast_bleu import SelfBLEU

    weights = {n: (1 / n,) * n for n in ORDERS}
    each = SelfBLEU(rows, weights).get_score()
    return {n: float(np.mean(each[n])) for n in ORDERS}


def compare_nltk(lines: list[str], sample: int, ours: float) -> None:
    """NLTK on the first sentences, each against all the others."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    rows = [line.split() for line in lines]
    weights = [(1 / n,) * n for n in ORDERS]
    method1 = SmoothingFunction().method1
    each = self_bleu(rows, max(ORDERS), per_sentence=True)
    sample = min(sample, len(rows))
    start = time.perf_counter()
    scores = [
        sentence_bleu(rows[:i] + rows[i + 1 :], rows[i], weights, method1) for i in range(sample)
    ]
    scaled = (time.perf_counter() - start) * len(rows) / sample
    worst = max(abs(scores[i][k] - each[n][i]) for i in range(sample) for k, n in enumerate(ORDERS))
    print(f"NLTK          {scaled:,.0f} s, scaled from {sample} sentences against all the others")
    print(f"              largest difference to ours on these {worst:.1e}")
    print(f"              NLTK (scaled) / ours = {scaled / ours:,.0f}")


def row(name: str, seconds: list[float], scores: Scores) -> str:
    """One line of the table."""
    values = " ".join(f"{scores[n]:.4f}" for n in ORDERS)
    median, best = statistics.median(seconds), min(seconds)
    return f"{name:<14}{median:.4f} s median, {best:.4f} s best of {len(seconds)}; scores {values}"


def difference(ours: Scores, other: Scores) -> float:
    """The largest absolute difference of any order."""
    return max(abs(ours[n] - other[n]) for n in ORDERS)


def measure_million(seed: int) -> None:
    """1,000,000 sentences of 10 tokens, as ids and as strings: time and memory of the process."""
    print(f"\nself-BLEU-1 to 5 of 1,000,000 sentences of 10 tokens, Zipf exponent 1.3, seed {seed}")
    draws = np.random.default_rng(seed).zipf(1.3, size=(1_000_000, 10)) % 20_000
    rows: list = draws.tolist()
    for kind in ("ids", "strings"):
        if kind == "strings":
            rows = [[f"w{token}" for token in sentence] for sentence in rows]
        before = peak_gigabytes()
        start = time.perf_counter()
        scores = self_bleu(rows, max(ORDERS))
        seconds = time.perf_counter() - start
        print(
            f"{kind:<14}{seconds:.1f} s; peak memory {peak_gigabytes():.2f} GB, of which the input "
            f"took {before:.2f} GB; self-BLEU-5 {scores[5]:.4f}"
        )


def peak_gigabytes() -> float:
    """The largest memory that this process has had so far, in 10^9 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
