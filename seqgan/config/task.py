"""Settings that say what a run does: data, models, trainings, rewards, measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .adversarial import AdversarialConfig
from .algorithms import AlgorithmConfig
from .corpus import CorpusConfig
from .critic import CriticConfig
from .discriminators import DiscriminatorConfig
from .ensemble import EnsembleConfig
from .evaluation import EvaluationConfig
from .generators import GeneratorConfig
from .pretrain import PretrainConfig
from .rewards import RewardConfig, RewardTerm
from .rewards.stages import StageConfig, of_stages
from .settings import Settings

__all__ = ["Task"]


def _recommended() -> Any:
    return field(default_factory=dict)


@dataclass
class Task(Settings):
    """Settings that results depend on.

    A group of settings is an instance, or a mapping of settings on top of what the method and the
    size recommend.

    Attributes:
        method: what is done; none: ratio, or what the settings ask for (docs/methods.md).
        size: how much is done: some seconds, some minutes, a careful run, the scale of the papers.
        data: a text file with one sequence per line, or grammar, oracle, wordnet,
            digits, styles, translation.
        test_data: a file with the test sequences; none: a share of `data`.
        validation_data: a file with the validation sequences; none: a share of `data`.
        corpus: how the source becomes token ids.
        generator: the policy.
        discriminator: the network that tells real from generated.
        pretrain: MLE training of the generator.
        critic: training of the discriminator.
        rewards: terms of the reward: discriminator, ratio, mediator, length, repetition, bleu,
            regex, novelty, likelihood, constant, random; of molecules validity, qed, logp, sa,
            similarity, substructure; package.module:function; each with a weight if you like
            (length:0.5) or its own settings: '[{name: discriminator, form: probability}]'.
        stages: rewards that come before these, each until an end, as in
            '[{rewards: [length], steps: 9}, {rewards: [novelty], reward: 0.9, steps: 20}]'.
        reward: the terms together, and calls of your own functions.
        on_reward_error: if a function fails: stop (the state is saved, the message shows the
            sequence), or skip (the term abstains there).
        constraint: tokens that may follow a prefix, wherever the policy is sampled and in the
            gradient: none, smiles (what can still become a molecule; extra `molecules`), grammar
            (with that data), or package.module:function.
        ensemble: the MLE models whose density the ratio is made of.
        algorithm: the update of the generator in the rounds.
        adversarial: the adversarial rounds.
        evaluation: what is measured in the end.
    """

    method: str = ""
    size: str = "standard"
    data: str = "grammar"
    test_data: str | None = None
    validation_data: str | None = None
    corpus: CorpusConfig = _recommended()
    generator: GeneratorConfig = _recommended()
    discriminator: DiscriminatorConfig = _recommended()
    pretrain: PretrainConfig = _recommended()
    critic: CriticConfig = _recommended()
    rewards: list[RewardTerm] = _recommended()
    stages: list[StageConfig] = field(default_factory=list)
    reward: RewardConfig = field(default_factory=RewardConfig)
    on_reward_error: str = "stop"
    constraint: str = "none"
    ensemble: EnsembleConfig = _recommended()
    algorithm: AlgorithmConfig = _recommended()
    adversarial: AdversarialConfig = _recommended()
    evaluation: EvaluationConfig = _recommended()

    def every_term(self) -> list[RewardTerm]:
        """The terms of the reward in all of its stages."""
        return [*of_stages(self.stages), *self.rewards]

    @property
    def ratio_alone(self) -> bool:
        """Tells if the reward is a density ratio as it is, and nothing else."""
        (first, *others), mean = self.rewards, self.reward.mean
        return first.density and first.plain and mean == "sum" and not others

    @property
    def for_objective(self) -> bool:
        """Tells if the rewards say what is wanted, and none of them compares with the data."""
        return all(term.objective for term in self.rewards)
