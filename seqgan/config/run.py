"""Settings of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .adversarial import AdversarialConfig
from .algorithms import AlgorithmConfig
from .checkpoint import CheckpointConfig
from .corpus import CorpusConfig
from .critic import CriticConfig
from .data import corpus_kind
from .discriminators import DiscriminatorConfig
from .ensemble import EnsembleConfig
from .evaluation import EvaluationConfig
from .format import CONFIG_FORMAT, check_format
from .generators import GeneratorConfig
from .methods import DEFAULT_METHOD, SIZES, method_names
from .pretrain import PretrainConfig
from .recipes import GROUPS, recommended
from .rewards import RewardTerm, reward_terms
from .run_checks import check_run
from .settings import Settings, hints, settings_from

__all__ = ["RunConfig"]


def _recommended() -> Any:
    return field(default_factory=dict)


@dataclass
class RunConfig(Settings):
    """One run: MLE pretraining, adversarial fine-tuning, comparison.

    A group of settings is an instance, or a mapping of settings on top of what the method and the
    size recommend.

    Attributes:
        method: what is done: a composition of generator, discriminator, reward and updates.
        size: how much is done: some seconds, some minutes, a careful run, the scale of the papers.
        data: a text file with one sequence per line, or grammar, oracle, wordnet.
        test_data: a file with the test sequences; none: a share of `data`.
        validation_data: a file with the validation sequences; none: a share of `data`.
        corpus: how the source becomes token ids.
        generator: the policy.
        discriminator: the network that tells real from generated.
        pretrain: MLE training of the generator.
        critic: training of the discriminator.
        rewards: the reward: discriminator, ratio, constant or random; with settings of its own as
            in '[{name: discriminator, form: probability, precision: bf16}]'.
        ensemble: the MLE models whose density the ratio is made of.
        algorithm: the update of the generator in the rounds.
        adversarial: the adversarial rounds.
        evaluation: what is measured in the end.
        checkpoint: when the run's state is written, to resume from it.
        output_dir: the run's folder; none: runs/ and a name made of the data and the time.
        overwrite: replace a run that the output folder holds.
        resume: continue an unfinished run: auto (if the output folder holds one, else begin), true
            (it must), or the folder of a run or of one of its checkpoints.
        config_format: format of these settings; written by the toolkit, to be left as it is.
        trackers: where measurements are shown besides metrics.jsonl: tensorboard, wandb, trackio
            (the last two need the extra `track`); empty: nowhere.
        seed: of everything random.
        device: auto, cpu, cuda, mps.
        precision: of the products in training steps: no (32 bits), bf16 (CUDA devices and CPUs),
            fp16 (CUDA devices).
    """

    rare = ("config_format",)

    method: str = DEFAULT_METHOD
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
    ensemble: EnsembleConfig = _recommended()
    algorithm: AlgorithmConfig = _recommended()
    adversarial: AdversarialConfig = _recommended()
    evaluation: EvaluationConfig = _recommended()
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    output_dir: str | None = None
    overwrite: bool = False
    resume: bool | str = False
    config_format: int = CONFIG_FORMAT
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    seed: int = 0
    device: str = "auto"
    precision: str = "no"

    def __post_init__(self) -> None:
        check_format(self.config_format)
        self._complete()
        super().__post_init__()
        check_run(self)

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The methods and the sizes."""
        return {"method": method_names(), "size": SIZES}.get(name, ())

    def _complete(self) -> None:
        """Makes the groups that are mappings, on top of what method and size recommend."""
        layers, kinds = recommended(self.method, self.size), hints(type(self))
        self.rewards = reward_terms(self.rewards or layers.rewards)
        kinds["corpus"] = corpus_kind(self.data)
        for name in GROUPS:
            given = getattr(self, name)
            if isinstance(given, Mapping):
                given = settings_from(kinds[name], layers.of(name, kinds[name], given))
                setattr(self, name, given)
