"""Settings of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from .checkpoint import CheckpointConfig
from .data import corpus_kind
from .format import CONFIG_FORMAT, check_format
from .methods import SIZES, method_names
from .names import TRACKERS
from .recipes import GROUPS, recommended
from .rewards import reward_terms
from .rewards.stages import of_stages, reward_stages
from .run_checks import check_run
from .settings import flat, hints, settings_from
from .task import Task
from .unnamed import unnamed_method

__all__ = ["RunConfig"]


@dataclass
class RunConfig(Task):
    """One run: MLE pretraining, adversarial fine-tuning, comparison.

    A group of settings is an instance, or a mapping of settings on top of what the method and the
    size recommend.

    Attributes:
        checkpoint: when the run's state is written, to resume from it.
        output_dir: the run's folder; none: runs/ and a name made of the data and the time.
        overwrite: replace a run that the output folder holds.
        resume: continue an unfinished run: auto (if the output folder holds one, else begin), true
            (it must), or the folder of a run or of one of its checkpoints.
        trust: import the functions that the settings of --run or --resume name as rewards.
        config_format: format of these settings; written by the toolkit, to be left as it is.
        trackers: where measurements are shown besides metrics.jsonl: tensorboard, wandb, trackio
            (the last two need the extra `track`); empty: nowhere.
        seed: of everything random.
        device: auto, cpu, cuda, mps.
        precision: of the products in training steps: no (32 bits), bf16 (CUDA devices and CPUs),
            fp16 (CUDA devices).
        matmul_precision: of products of 32-bit numbers on CUDA devices: highest, or high: TF32,
            which rounds the factors to 10 bits and is several times faster.
        sampling_precision: of the products in the samples and rollouts that policy gradient and
            ratio learn from: no (32 bits), or bf16; all others are in 32 bits.
        graphs: record training steps, samples and rollouts as CUDA graphs, on CUDA devices; false:
            one operation after another.
    """

    rare = ("config_format",)

    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    output_dir: str | None = None
    overwrite: bool = False
    resume: bool | str = False
    trust: bool = False
    config_format: int = CONFIG_FORMAT
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    seed: int = 0
    device: str = "auto"
    precision: str = "no"
    matmul_precision: str = "highest"
    sampling_precision: str = "no"
    graphs: bool = True

    def __post_init__(self) -> None:
        check_format(self.config_format)
        self._complete()
        super().__post_init__()
        check_run(self)

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The methods, the sizes and the trackers."""
        return {"method": method_names(), "size": SIZES, "trackers": TRACKERS}.get(name, ())

    def _complete(self) -> None:
        """Makes the groups that are mappings, on top of what method and size recommend."""
        self.rewards = reward_terms(self.rewards) if self.rewards else []
        self.stages = reward_stages(self.stages)
        if self.method == "":
            given = flat({each.name: getattr(self, each.name) for each in fields(self)})
            self.method = unnamed_method(given, self.rewards, of_stages(self.stages))
        layers, kinds = recommended(self.method, self.size), hints(type(self))
        self.rewards = self.rewards or reward_terms(layers.rewards)
        kinds["corpus"] = corpus_kind(self.data)
        for name in GROUPS:
            given = getattr(self, name)
            if isinstance(given, Mapping):
                given = settings_from(kinds[name], layers.of(name, kinds[name], given))
                setattr(self, name, given)
