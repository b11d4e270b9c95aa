"""Training steps in float64 by one process or by several, and the weights they end with.

``python -m torch.distributed.run --nproc_per_node 2 -m tests.seqgan.shared_steps NAME``
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rollout import ConstantReward, DiscriminatorReward
from rollout.modules import own_copy
from seqgan.config import (
    LSTM,
    BiLSTM,
    CriticConfig,
    Distill,
    EnsembleConfig,
    GrammarCorpus,
    PretrainConfig,
    Ratio,
    Relaxed,
    RewardConfig,
)
from seqgan.config import PolicyGradient as PolicyGradientSettings
from seqgan.config.algorithms import DiversityConfig, ReplayConfig
from seqgan.config.rewards import reward_terms
from seqgan.data.dataset import Dataset
from seqgan.data.sources import load_data
from seqgan.models import Ensemble, make_discriminator, make_generator
from seqgan.rewards.build import build_reward
from seqgan.rewards.ingredients import Ingredients
from seqgan.rewards.ratio import RatioReward
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.distill import Distillation
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient
from seqgan.training.pretrain import Pretraining
from seqgan.training.ratio import RatioUpdates
from seqgan.training.refresh import Refresh
from seqgan.training.relaxed import RelaxedUpdates
from seqgan.training.runtime import Runtime, make_accelerator

from .rewards import functions
from .rounds import control_of, critic_of, work_of
from .settings import changed, run_settings

BATCH = 7
"""Sequences that do not fall into equal parts."""
ROUNDS = run_settings(
    batch_size=BATCH, rollouts=2, learning_rate=1e-2, critic_steps=2,
    transform="standardise", positions=4,
)  # fmt: skip
OTHER = changed(
    ROUNDS, loss="clipped", updates=2, baseline="moving_average", transform="none",
    entropy_weight=0.1, kl_weight=0.1, rollout_update_rate=0.5, stratified=True, mle_weight=0.1,
    optimizer={"name": "radam", "learning_rate": 1e-2, "average_decay": 0.9, "warmup_steps": 5},
)  # fmt: skip


class Steps:
    """One model of each kind, trained step by step, with the numbers on the way."""

    def __init__(self, data: Dataset):
        self.data = data
        self.numbers: list[float] = []
        self.weights: dict[str, Tensor] = {}
        self.calls: dict[str, list[int]] = {}
        self.runtime = Runtime(make_accelerator("cpu"), seed=3)
        small = LSTM(embedding=8, hidden=12, dropout=0.0)
        self.generator = make_generator(small, data.spec, 0).double()
        judge = BiLSTM(embedding=6, hidden=6, dropout=0.0)
        self.judge = make_discriminator(judge, data.spec, 0).double()

    def keep(self, name: str, model: nn.Module) -> None:
        """Notes the weights that a training ends with."""
        found = {f"{name}/{key}": value.clone() for key, value in model.state_dict().items()}
        self.weights |= found

    def all(self) -> None:
        """Each kind of step 20 times and more."""
        config = PretrainConfig(optimizer={"learning_rate": 1e-2}, batch_size=16)
        mle = Pretraining(
            self.generator, self.data.train, self.data.validation, config, self.runtime
        )
        for _ in range(3):  # of 7 steps, the last of them on a single sequence
            mle.epoch()
        assert mle.learner.step == 21
        self.numbers += mle.history
        self.keep("mle", self.generator)
        options = changed(
            config, name="radam", average_decay=0.9, label_smoothing=0.1, scheduled_sampling=0.5,
            scheduled_sampling_steps=5,
        )  # fmt: skip
        other = Pretraining(
            own_copy(self.generator), self.data.train, self.data.validation, options, self.runtime
        )
        other.epoch()
        self.numbers += other.history
        self.keep("mle with options", other.generator)
        judging = CriticConfig(batch_size=BATCH, optimizer={"learning_rate": 1e-2}, negatives=41)
        critic = critic_of(self.judge, self.generator, self.data, judging, self.runtime)
        pretraining = CriticPretraining(critic)
        self.numbers.append(critic.train_until(20, pretraining.negatives))
        self.numbers += critic.measure(pretraining.negatives, pretraining.fresh).values()
        self.keep("discriminator", self.judge)
        for name, settings, rounds in (("adversarial", ROUNDS, 20), ("other", OTHER, 10)):
            work = work_of(self.generator, self.judge, self.data, settings, self.runtime, critic)
            for _ in range(rounds):
                work.round()
            self.keep(name, self.generator)
            self.keep(f"judge of {name}", self.judge)
        self.methods()
        self.judging()
        self.ratios()
        self.distillation()
        self.relaxed()
        control = control_of(own_copy(self.generator), work)
        control.steps(10)
        self.keep("control", control.policy)

    def methods(self) -> None:
        """Policy gradient with a value head, a memory, a filter and weights that follow targets."""
        plain = changed(ROUNDS, rewards="length", rollouts=0, transform="none")
        for name, changes in {
            "value": {
                "baseline": "value",
                "loss": "clipped",
                "updates": 2,
                "transform": "standardise",
                "aggregation": "token_mean",
                "entropy_target": 2.0,
                "kl_target": 1.0,
            },
            "augmented": {"baseline": "none", "loss": "augmented", "sigma": 0.1},
        }.items():
            settings = replace(
                plain.algorithm, replay=ReplayConfig(size=9, batch=5),
                diversity=DiversityConfig(filter="unique"), **changes,
            )  # fmt: skip
            policy, config = own_copy(self.generator), replace(plain, algorithm=settings)
            work = work_of(policy, None, self.data, config, self.runtime)
            work.player.steps(5)
            self.numbers.append(work.player.spread)
            self.keep(name, policy)

    def judging(self) -> None:
        """A function of the user's: its calls as the player counts them, and as it was called."""
        data, runtime = self.data, self.runtime
        name, asking = "tests.seqgan.rewards.functions:long", RewardConfig(cache=False)
        given = Ingredients(data.train, data.codec, 0, config=asking)
        for kind, settings in (
            (PolicyGradient, PolicyGradientSettings(batch_size=BATCH, rollouts=0)),
            (RatioUpdates, Ratio(estimator="reinforce", batch_size=BATCH)),
            (Distillation, Distill(samples=30, beta=0.1, batch_size=BATCH)),
        ):
            policy = own_copy(self.generator)
            reward = build_reward(reward_terms({"name": name, "shape": "standardise"}), given)
            materials = Materials(
                policy, own_copy(policy), reward, None, data.train, data.prompts(), runtime
            )
            functions.CALLS.clear()
            player = kind(settings, materials)
            player.steps(5)
            asked = torch.tensor(float(sum(len(call["completions"]) for call in functions.CALLS)))
            runtime.processes.add_up(asked)
            self.calls[kind.__name__] = [player.calls, int(asked)]
            self.numbers.append(player.spread)
            self.keep(f"judged {kind.__name__}", policy)

    def ratios(self) -> None:
        """Updates towards an ensemble, by each estimator."""
        runtime, data = self.runtime, self.data
        small = LSTM(embedding=8, hidden=12, dropout=0.0)
        members = [make_generator(small, data.spec, seed).double() for seed in (1, 2)]
        ensemble = Ensemble(members, "minimum").eval().requires_grad_(False)
        for estimator in ("exact", "exact_to_go", "reinforce"):
            policy = own_copy(self.generator)
            materials = Materials(
                policy, own_copy(policy), RatioReward(ensemble, policy), None, data.train,
                data.prompts(), runtime, ensemble=ensemble,
            )  # fmt: skip
            settings = Ratio(
                estimator=estimator, objective="jensen_shannon", batch_size=BATCH,
                kl_weight=0.1, mle_weight=0.1,
            )  # fmt: skip
            player = RatioUpdates(settings, materials)
            player.steps(5)
            self.numbers.append(player.spread)
            self.keep(f"ratio {estimator}", policy)
        config = EnsembleConfig(refresh=3, refresh_learning_rate=1e-2)
        refresh = Refresh(ensemble, self.generator, data.train, BATCH, config, runtime)
        refresh.steps(3)
        self.keep("refreshed ensemble", ensemble)

    def relaxed(self) -> None:
        """Updates through samples, by a loss that looks at real sequences and one that does not."""
        for loss in ("non_saturating", "relativistic"):
            policy = own_copy(self.generator)
            materials = Materials(
                policy, own_copy(policy), ConstantReward(0.0), self.judge, self.data.train,
                self.data.prompts(), self.runtime,
            )  # fmt: skip
            player = RelaxedUpdates(Relaxed(loss=loss, batch_size=BATCH), materials)
            player.steps(3)
            self.numbers.append(player.spread)
            self.keep(f"relaxed {loss}", policy)

    def distillation(self) -> None:
        """Weighted maximum likelihood on samples, by the discriminator's log-odds."""
        policy, runtime, data = own_copy(self.generator), self.runtime, self.data
        reward = DiscriminatorReward(self.judge, "log_odds")
        materials = Materials(
            policy, own_copy(policy), reward, self.judge, data.train, data.prompts(), runtime
        )
        player = Distillation(Distill(samples=30, batch_size=BATCH), materials)
        player.steps(5)
        self.numbers.append(player.spread)
        self.keep("distillation", policy)


def shared_steps() -> Steps:
    """All steps of this process, done."""
    corpus = GrammarCorpus(num_train=97, num_validation=10, num_heldout=10, num_test=4)
    steps = Steps(load_data("grammar", corpus, seed=1))
    steps.all()
    return steps


if __name__ == "__main__":
    torch.set_num_threads(1)
    steps = shared_steps()
    processes = steps.runtime.processes
    assert processes.count == 2
    flat = torch.cat([value.flatten() for value in steps.weights.values()])
    for other in processes.gather(flat[None], processes.part(2)):
        assert torch.equal(other, flat)  # the same weights everywhere, to the bit
    if processes.is_main:
        save_file(steps.weights, sys.argv[1] + ".safetensors")
        Path(sys.argv[1] + ".json").write_text(json.dumps([steps.numbers, steps.calls]))
    processes.part_ways()
