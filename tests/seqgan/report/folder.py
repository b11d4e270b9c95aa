"""A run's folder made by hand, so that every number in its report is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from seqgan.runs.run_directory import FORMAT

CONFIG = {
    "data": "captions.txt",
    "seed": 3,
    "pretrain": {"epochs": 5, "early_stopping": True},
    "critic": {"early_stopping": True},
    "rewards": [{"name": "discriminator", "form": "log_odds"}],
    "evaluation": {"confidence": 0.9, "show": 2, "temperatures": [0.8, 1.0, 1.2]},
}
SAMPLES = {
    "real": ["a real line", "another real line", "a third real line"],
    "mle": ["a line of the first model", "more of it", "never shown"],
    "finetuned": ["a line of the second model", "more of that", "never shown either"],
}


def score(name: str, value: float, direction: str = "lower", half: float | None = 0.25) -> Any:
    return {
        "name": name,
        "value": value,
        "interval": None if half is None else [value - half, value + half],
        "n": 100,
        "direction": direction,
        "signature": f"metric:{name}|n:100",
    }


def scores(nll: float) -> list[Any]:
    ways = {"nll": "lower", "entropy": "none", "unique": "higher", "length": "none"}
    ways |= {f"bleu-{k}": "higher" for k in (2, 3, 4, 5)}
    ways |= {f"self-bleu-{k}": "lower" for k in (2, 3, 4, 5)}
    ways |= {"something-new": "higher"}
    return [score(name, nll + i, way) for i, (name, way) in enumerate(ways.items())]


def point(temperature: float, shift: float) -> dict[str, float]:
    found = {"temperature": temperature, "entropy": 2 * temperature, "nll": 3 + shift}
    found["primary"] = found["nll"]
    for k in (2, 3, 4, 5):
        found |= {f"bleu-{k}": 0.9 - 0.1 * temperature, f"self-bleu-{k}": 0.8 - 0.1 * temperature}
    return found


def verdict(label: str = "not distinguishable", difference: float | None = 0.0125) -> Any:
    comparable = difference is not None
    return {
        "label": label,
        "metric": "nll",
        "difference": difference,
        "interval": [difference - 0.05, difference + 0.05] if comparable else None,
        "confidence": 0.9,
        "finetuned_temperature": 1.0,
        "mle_temperature": 1.01 if comparable else None,
        "finetuned_entropy": 2.0,
        "mle_entropy": 2.01 if comparable else None,
        "finetuned_value": 3.1125,
        "mle_value": 3.1 if comparable else None,
        "sentence": "The sentence of the verdict.",
        "mle_way": "temperature 1.01",
        "helped": label == "better",
        "against_mle": label,
        "against_control": label,
        "effect": "small: 0.40% of MLE's value" if comparable else None,
        "cautions": ["One training seed: a caution of the answer."],
    }


def results() -> dict[str, Any]:
    sweep = {
        name: [point(t, shift) for t in (0.8, 1.0, 1.2)]
        for name, shift in (("mle", 0.1), ("finetuned", 0.11))
    }
    return {
        "format": FORMAT,
        "source": "captions.txt",
        "seed": 3,
        "data": {
            "tokenizer": "words",
            "vocabulary_size": 1234,
            "warnings": ["many lines are too long: --corpus.max_length 50 would keep them"],
            "splits": {"train": {"sequences": 900}, "test": {"sequences": 100}},
        },
        "pretraining": {
            "state": "converged",
            "epochs": 3,
            "best_epoch": 2,
            "validation_nll": 3.0,
        },
        "adversarial": {"rounds": 4, "best_round": 2},
        "control": {
            "rounds": 4,
            "against_mle": verdict("not distinguishable", 0.001),
            "against_method": verdict("not distinguishable", 0.011),
        },
        "verdict": verdict(),
        "scores": {"mle": scores(3.0), "finetuned": scores(3.5), "real": scores(2.5)},
        "sweep": {
            "test": sweep,
            "real": {"sequences": 50} | {f"self-bleu-{k}": 0.6 for k in (2, 3)},
        },
        "action_values": {
            "rollouts": 16,
            "mean": -0.5,
            "mean_error": 0.3,
            "real_mean": 0.75,
            "real_mean_error": 0.4,
            "sentences": [
                {
                    "tokens": ["good", "bad", "end", "so"],
                    "values": [0.5, -2.5, -1.5, -1.29],
                    "errors": [0.1, 0.2, 0.0, 0.265],
                    "whole": -1.5,
                }
            ],
        },
    }


def without_sweep(**changes: Any) -> dict[str, Any]:
    """Results with fewer figures, for tests that do not look at them."""
    return {**results(), "sweep": None, **changes}


def log() -> list[dict[str, Any]]:
    lines = [
        {"stage": "mle", "step": 10 * e, "epoch": e, "train_nll": 5 - e, "validation_nll": nll}
        for e, nll in ((1, 4.0), (2, 3.0), (3, 3.5))
    ]
    gains = {"heldout_gain_raw": -0.1, "heldout_gain_low": 0.01, "heldout_gain_high": 0.3}
    gains |= {"heldout_accuracy_error": 0.01, "heldout_effective": 50.0}
    lines += [
        {"stage": "discriminator", "step": step, "train_accuracy": 0.7, "heldout_accuracy": 0.625}
        | {"heldout_gain": gain, "heldout_cross_entropy": loss} | gains
        for step, gain, loss in ((100, 0.125, 0.6), (200, 0.3, 0.65))
    ]  # fmt: skip
    lines += [
        {"stage": "validation", "step": r, "round": r, "score": 3 - r / 10, "nll": 3.0}
        | {"entropy": 2.0, "temperature": 0.9}
        for r in (0, 2)
    ]  # fmt: skip
    lines += [
        {"stage": "adversarial", "step": r, "round": r, "loss": 0.1, "mean_reward": 0.2 * r}
        for r in (1, 2)
    ]
    return [{**line, "time": 1_700_000_000 + i} for i, line in enumerate(lines)]


def make_run(path: Path, **changes: Any) -> Path:
    """Writes a run's folder.

    Args:
        path: where.
        **changes: instead of ``config``, ``results``, ``log``, ``samples``, ``environment``;
            None leaves the file out.
    """
    parts: dict[str, Any] = {
        "config": CONFIG,
        "results": results(),
        "log": log(),
        "samples": SAMPLES,
        "environment": {
            "python": "3.11.0",
            "packages": {"torch": "2.9"},
            "command": ["seqgan", "run"],
            "folder": "/home/somebody",
        },
    } | changes
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(parts["config"]), encoding="utf-8")
    for name in ("results", "environment"):
        if parts[name] is not None:
            (path / f"{name}.json").write_text(json.dumps(parts[name]), encoding="utf-8")
    if parts["log"] is not None:
        text = "".join(json.dumps(line) + "\n" for line in parts["log"])
        (path / "metrics.jsonl").write_text(text, encoding="utf-8")
    for name, lines in (parts["samples"] or {}).items():
        (path / "samples").mkdir(exist_ok=True)
        text = "".join(f"{line}\n" for line in lines)
        (path / "samples" / f"{name}.txt").write_text(text, encoding="utf-8")
    return path
