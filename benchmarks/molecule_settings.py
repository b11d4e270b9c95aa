"""Settings of the runs on molecules: the pretrained one, and how it is fine-tuned."""

from __future__ import annotations

from typing import Any

__all__ = ["EVALUATION", "GOALS", "KEPT", "MLE", "MOLECULES", "SAMPLED", "TUNINGS"]

MOLECULES = 5_000
CORPUS = {"tokenizer": "smiles", "max_length": 64, "min_count": 1}
EVALUATION = {"num_samples": 1_000, "sweep_samples": 250, "resamples": 1_000}
MLE = {
    "corpus": CORPUS,
    "generator": {"architecture": "lstm", "embedding": 32, "hidden": 128, "dropout": 0.2},
    "pretrain": {"optimizer": {"learning_rate": 0.005}},
    "evaluation": EVALUATION,
}
"""Settings of the pretrained run."""
SAMPLED = 100
"""Samples with the constraint and without it."""
GOALS = {
    "qed": ("QED", ["qed", "validity:0"]),
    "jnk3": ("JNK3", ["benchmarks.forest:jnk3", "validity:0"]),
}
"""For each goal its title and rewards. The first is wanted, and 0 for a text that is no molecule;
validity is only measured."""
ROUNDS = {"rounds": 10, "generator_steps": 15, "measure_every": 2, "patience": 0}
"""150 steps of 64 samples, and 250 samples for each of six measurements: 11,100 reward calls."""
TUNINGS: dict[str, dict[str, Any]] = {
    "once": {
        "method": "rloo",
        "algorithm": {"batch_size": 64, "kl_weight": 0.02, "optimizer": {"learning_rate": 0.001}},
        "adversarial": ROUNDS,
    },
    "reused": {
        "method": "rloo",
        "algorithm": {
            "batch_size": 64, "loss": "clipped", "updates": 4, "kl_weight": 0.01,
            "optimizer": {"learning_rate": 0.001},
        },
        "adversarial": ROUNDS,
    },
    "remembered": {
        "method": "reinvent",
        "algorithm": {
            "batch_size": 64, "updates": 3, "replay": {"size": 100, "batch": 32},
            "diversity": {"bucket": 1}, "optimizer": {"learning_rate": 0.001},
        },
        "adversarial": ROUNDS,
    },
    "imitated": {
        "method": "distill",
        "algorithm": {
            "beta": 20.0, "samples": 1600, "refresh": 100, "real_share": 0.0,
            "optimizer": {"learning_rate": 0.001, "schedule": "constant"},
        },
        "adversarial": {**ROUNDS, "generator_steps": 60},
    },
}  # fmt: skip
"""Settings of the fine-tuning by name, on top of those of the pretrained run, with as many reward
calls each: every batch used once, every batch used four times, REINVENT's loss and memory with
every batch used three times, and MLE on the policy's own samples weighted by exp(20 QED), six times
1,600 of them."""
KEPT = "once"
"""The settings of the table of models."""
