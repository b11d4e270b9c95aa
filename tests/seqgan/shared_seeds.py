"""Short trainings with dropout, one a seed, by one process or by several, and how they end.

``python -m torch.distributed.run --nproc_per_node 2 -m tests.seqgan.shared_seeds 8 FILE``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from rollout import Policy, generate
from seqgan.config import LSTM, BiLSTM, CriticConfig, GrammarCorpus, PretrainConfig
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data
from seqgan.metrics.likelihood import sequence_scores, token_nll
from seqgan.models import make_discriminator, make_generator
from seqgan.training.critic_pretraining import pretrain_critic
from seqgan.training.pretrain import pretrain
from seqgan.training.runtime import Runtime, make_accelerator

from .rounds import critic_of, work_of
from .settings import run_settings

MLE = PretrainConfig(epochs=4, batch_size=16, optimizer={"learning_rate": 0.01})
JUDGING = CriticConfig(
    steps=40, measure_every=40, batch_size=32, negatives=400, optimizer={"learning_rate": 0.01}
)
ROUNDS = run_settings(
    rounds=6, measure_every=6, early_stopping=False, batch_size=16, rollouts=2, positions=3,
    learning_rate=3e-3, critic_steps=2,
)  # fmt: skip


def ends(data: Dataset, runtime: Runtime) -> dict[str, float]:
    """All three trainings, and figures of their ends."""
    policy = make_generator(LSTM(embedding=16, hidden=32, dropout=0.2), data.spec, runtime.seed)
    config = BiLSTM(embedding=16, hidden=16)
    judge = make_discriminator(config, data.spec, runtime.seed)
    mle = pretrain(policy, data.train, data.validation, MLE, runtime)
    critic = critic_of(judge, policy, data, JUDGING, runtime)
    pretrain_critic(critic, runtime)
    negatives = generate(policy, 200, rng=runtime.rng("negatives"))
    judged = critic.measure(negatives, negatives, log=False)

    def validate(model: Policy) -> dict[str, float]:
        return {"score": token_nll(model, data.validation)}

    work = work_of(policy, judge, data, ROUNDS, runtime, critic).play(validate)
    scores = sequence_scores(policy, generate(policy, 500, rng=runtime.rng("end")))
    return {
        "validation NLL of MLE": mle.best_nll,
        "held-out accuracy": judged["heldout_accuracy"],
        "validation NLL in the end": work.history[-1],
        "entropy in the end": float(scores.entropy.sum() / scores.tokens.sum()),
    }


def all_ends(seeds: int) -> tuple[list[dict[str, float]], Runtime]:
    """Those of each seed."""
    corpus = GrammarCorpus(num_train=600, num_validation=100, num_heldout=100, num_test=4)
    data = load_data("grammar", corpus, seed=0)
    runtimes = [Runtime(make_accelerator("cpu"), seed) for seed in range(seeds)]
    return [ends(data, runtime) for runtime in runtimes], runtimes[-1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    found, runtime = all_ends(int(sys.argv[1]))
    if runtime.processes.is_main:
        Path(sys.argv[2]).write_text(json.dumps(found))
    runtime.processes.part_ways()
