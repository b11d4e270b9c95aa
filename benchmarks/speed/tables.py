"""The figures of `seqgan-bench speed` as Markdown."""

from __future__ import annotations

import shlex
from typing import Any

from ..table import markdown_lines

__all__ = ["markdown"]


def markdown(result: dict[str, Any]) -> str:
    """All tables that a result holds."""
    machine = result["machine"]
    lines = [
        f"# Speed on {machine['device']}",
        "",
        f"{machine['threads']} threads, torch {machine['torch']}, Python {machine['python']}, "
        f"seed {result['seed']}. Measured in the same run: {result['gemm'] / 1e9:.1f} GFLOP/s "
        f"(products of float32 matrices), {result['memory_rate'] / 1e9:.1f} GB/s (copying). "
        f"The engine chose chunks of {machine['chunk_rows']} rows.{_of_bfloat16(machine)}",
        "",
        f"    {shlex.join(result['command'])}",
    ]
    if machine["plain"] is None:
        lines += ["", "The plain reference is part of a checkout (tests/plain.py); here is none."]
    for name, table in TABLES.items():
        if name in result:
            lines += ["", *table(result[name])]
    return "\n".join(lines)


def _of_bfloat16(machine: dict[str, Any]) -> str:
    """Sentence for the head of the page; empty for figures that do not say it."""
    if "bfloat16" not in machine:
        return ""
    return (
        f" The device has {'' if machine['bfloat16'] else 'no '}instructions for products of bf16."
    )


def seconds(value: float | None) -> str:
    """Three digits."""
    return "-" if value is None else f"{value:.3g} s"


def megabytes(value: int | None) -> str:
    """10^6 bytes."""
    return "-" if value is None else f"{value / 1e6:,.0f} MB"


def _operations(content: list[dict[str, Any]]) -> list[str]:
    body = [
        [
            row["name"],
            seconds(row["seconds"]),
            seconds(row["plain_seconds"]),
            "-" if row["plain_seconds"] is None else f"{row['plain_seconds'] / row['seconds']:.1f}",
            f"{100 * row['share_of_limit']:.0f}%",
            megabytes(row["peak_bytes"]),
        ]
        for row in content
    ]
    header = ["operation", "time", "plain way", "ratio", "of the machine's limit", "peak memory"]
    return [
        "The paper's configuration. Ratio: the plain way's time over ours. Limit: the time that "
        "the products and the memory traffic which the work needs at least would take at the "
        "rates above.",
        "",
        *markdown_lines(header, body),
    ]


def _peer(content: dict[str, Any]) -> list[str]:
    body = [
        [row["name"], seconds(row["seconds"]), seconds(row["peer_seconds"]),
         f"{row['peer_seconds'] / row['seconds']:.1f}"]
        for row in content["rows"]
    ]  # fmt: skip
    return [
        f"Beside TextGAN-PyTorch (commit {content['revision']}) in the same process and sizes, "
        "each by its own models; it did a part of each operation, and its time is scaled up.",
        "",
        *markdown_lines(["operation", "time", "TextGAN-PyTorch", "ratio"], body),
    ]


def _scaling(content: list[dict[str, Any]]) -> list[str]:
    first: dict[str, dict[str, Any]] = {}
    body = []
    for row in content:
        base = first.setdefault(row["size"], row)
        body.append(
            [
                row["size"],
                f"{row['value']:,}",
                seconds(row["seconds"]),
                f"{row['seconds'] / base['seconds']:.1f}",
                f"{row['tokens'] / base['tokens']:.1f}",
                f"{row['nanoseconds_a_logit']:.2f}",
            ]
        )
    header = ["size", "value", "rollouts", "times the first", "tokens", "ns per logit"]
    return [
        "How the time of the rollouts grows, one size changed at a time.",
        "",
        *markdown_lines(header, body),
    ]


def _eos(row: dict[str, Any]) -> list[str]:
    return [
        f"With EOS, at a mean length of {row['mean_length']:.1f} of {row['max_length']} tokens, "
        f"the rollouts take {seconds(row['seconds'])} instead of "
        f"{seconds(row['seconds_without_eos'])}."
    ]


def _memory(content: list[dict[str, Any]]) -> list[str]:
    body = [[row["work"], megabytes(row["peak_bytes"])] for row in content]
    return markdown_lines(["work", "peak memory on top of the models"], body)


def _stratified(row: dict[str, Any]) -> list[str]:
    gain = row["variance_independent"] / row["variance_stratified"]
    return [
        f"Stratified rollouts: the variance of the values of an LSTM with weights from N(0, 1) "
        f"under the CNN's log-odds falls by a factor of {gain:.2f} "
        f"({row['variance_independent']:.3g} to {row['variance_stratified']:.3g}, "
        f"{row['repeats']} repetitions); means {row['mean_independent']:.4f} and "
        f"{row['mean_stratified']:.4f}."
    ]


def _losses(row: dict[str, float]) -> list[str]:
    return [
        f"Losses on a fixed batch differ from the CPU's by {row['largest_difference_to_cpu']:.1e} "
        "at most."
    ]


def _processes(content: list[dict[str, Any]]) -> list[str]:
    first: dict[str, dict[str, Any]] = {}
    body = []
    for row in content:
        base = first.setdefault(row["name"], row)
        body.append(
            [
                row["name"],
                str(row["processes"]),
                str(row["threads"]),
                seconds(row["seconds"]),
                f"{row['tokens']:,.0f}",
                f"{base['seconds'] / row['seconds']:.2f}",
            ]
        )
    body.sort(key=lambda cells: list(first).index(cells[0]))
    header = ["work", "processes", "threads each", "time", "tokens a second", "times the first"]
    return [
        "Steps of a run in the paper's configuration by one process and by several that share each "
        "batch. Tokens of a generator step are those of its rollouts.",
        "",
        *markdown_lines(header, body),
    ]


def _transformer(row: dict[str, Any]) -> list[str]:
    sizes, rollouts, training = row["sizes"], row["rollouts"], row["training"]
    parts = [
        ("rollouts", rollouts["seconds"], "without a cache", rollouts["seconds_without_cache"]),
        ("training step", training["seconds"], "torch's layers", training["seconds_of_torch"]),
    ]
    body = [
        [name, seconds(ours), other, seconds(theirs), f"{theirs / ours:.2f}"]
        for name, ours, other, theirs in parts
    ]
    return [
        f"Transformer of {sizes['layers']} layers of width {sizes['width']}, "
        f"V {sizes['vocabulary']:,}, T {sizes['length']}: {sizes['rollouts']} rollouts of every "
        f"prefix of {sizes['prefixes']} sequences; a training step of {sizes['batch']} sequences.",
        "",
        *markdown_lines(["work", "time", "beside", "time", "ratio"], body),
        "",
        f"A row in flight takes {row['row_bytes']:,} bytes by the model's account (`row_bytes`)"
        + (
            "."
            if row["measured_row_bytes"] is None
            else f", {row['measured_row_bytes']:,.0f} measured."
        ),
    ]


def _evaluation(content: dict[str, Any]) -> list[str]:
    sizes, whole = content["sizes"], sum(row["seconds"] for row in content["rows"])
    body = [
        [row["part"], seconds(row["seconds"]), f"{100 * row['seconds'] / whole:.0f}%"]
        for row in content["rows"]
    ]
    return [
        f"Evaluation and comparison of two models of the caption grammar, {seconds(whole)}: "
        f"{sizes['samples']:,} samples of each, {sizes['sweep']:,} at each temperature, "
        f"{sizes['resamples']:,} resamples.",
        "",
        *markdown_lines(["part", "time", "share"], body),
    ]


def _large(content: list[dict[str, Any]]) -> list[str]:
    body = [
        [
            f"V {row['vocabulary']:,}, T {row['length']}, batch {row['batch']}, "
            f"{row['units']:,} units",
            row["precision"],
            seconds(row["seconds"]),
            f"{row['rate'] / 1e12:.3g}",
            megabytes(row["peak_bytes"]),
        ]
        for row in content
    ]
    header = ["rollouts", "precision", "time", "10^12 operations per second", "peak memory"]
    return ["16 rollouts of every prefix by large models.", "", *markdown_lines(header, body)]


TABLES: dict[str, Any] = {
    "operations": _operations,
    "peer": _peer,
    "scaling": _scaling,
    "eos": _eos,
    "memory": _memory,
    "stratified": _stratified,
    "processes": _processes,
    "transformer": _transformer,
    "evaluation": _evaluation,
    "large": _large,
    "losses": _losses,
}
