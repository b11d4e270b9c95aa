"""Settings of the discriminator's training."""

from __future__ import annotations

from dataclasses import dataclass, field

from .augmentations import check_augmentations
from .checks import choice, not_negative, positive, require, shares, sizes
from .names import GAN_LOSSES
from .optimizers import OptimizerConfig
from .settings import Settings

__all__ = ["CriticConfig", "CriticOptimizer"]


@dataclass
class CriticOptimizer(OptimizerConfig):
    """The optimizer of the discriminator."""

    group = "critic.optimizer."
    measurements = ("heldout_cross_entropy", "heldout_gain", "heldout_accuracy")
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


@dataclass
class CriticConfig(Settings):
    """Training of the discriminator: before the rounds, and in them.

    Attributes:
        steps: gradient steps before the rounds: at most, or exactly if early_stopping is off.
        early_stopping: stop when the cross-entropy on held-out data has not improved for `patience`
            measurements, and keep the best state.
        patience: measurements without improvement before training stops.
        measure_every: steps between two measurements of accuracies and held-out gain.
        negatives: generated sequences to train against, drawn once before the steps; 0: as many
            as there are training sequences, at most 100,000.
        fresh_every: steps after which as many new sequences take their place, before the rounds
            and in them (the SeqGAN code: three epochs); 0: never before the rounds, and at every
            step in them.
        memory: earlier rounds whose samples are trained against too (ColdGAN); 0: the latest
            alone.
        loss: of the discriminator: minimax (binary cross-entropy), least_squares, hinge,
            wasserstein, difference (the same without a bound, of means over tokens: DPGAN's),
            relativistic, relativistic_average, ranking (RankGAN, by its features).
        gradient_penalty: weight of the penalty on the slope of the discriminator between real and
            generated sequences (Gulrajani et al. 2017); by default 10 with wasserstein, else 0.
        label_smoothing: share of "generated" in the label of real sequences (minimax).
        batch_size: real sequences per step, and as many generated ones.
        rounds_learning_rate: learning rate in the adversarial rounds.
        augment: changes of the sequences that it is trained on, one after the other: token_dropout,
            swap (of neighbours), window_crop, mask, reversal, random_smiles (the same molecule from
            another atom on; needs the extra `molecules`), or package.module:function.
        augment_share: share of tokens, or of sequences, that each of them changes.
        augment_generated: change generated sequences in the same way; off where a changed real
            sequence is as real as before.
        optimizer: of the training.
    """

    rare = (
        "negatives",
        "fresh_every",
        "memory",
        "patience",
        "measure_every",
        "gradient_penalty",
        "label_smoothing",
        "augment",
        "augment_share",
        "augment_generated",
    )

    group = "critic."

    steps: int = 4_000
    early_stopping: bool = True
    patience: int = 8
    measure_every: int = 200
    negatives: int = 0
    fresh_every: int = 0
    memory: int = 0
    loss: str = "minimax"
    gradient_penalty: float | None = None
    label_smoothing: float = 0.0
    batch_size: int = 128
    rounds_learning_rate: float = 5e-4
    augment: list[str] = field(default_factory=list)
    augment_share: float = 0.1
    augment_generated: bool = True
    optimizer: CriticOptimizer = field(default_factory=CriticOptimizer)

    @property
    def penalty(self) -> float:
        """The weight of the gradient penalty."""
        if self.gradient_penalty is None:
            return 10.0 if self.loss == "wasserstein" else 0.0
        return self.gradient_penalty

    @property
    def no_penalty(self) -> str:
        """Advice where there can be none: without it Wasserstein's critic has no bound."""
        free = self.loss != "wasserstein"
        return "set --critic.gradient_penalty 0" if free else "take --critic.loss hinge"

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "steps", "patience", "measure_every", "batch_size")
        sizes(self, "negatives", "fresh_every", "memory", least=0)
        choice(self, "loss", GAN_LOSSES)
        if self.gradient_penalty is not None:
            not_negative(self, "gradient_penalty")
        shares(self, "label_smoothing", most=0.9)
        require(
            self.loss == "minimax" or not self.label_smoothing,
            "--critic.label_smoothing is for --critic.loss minimax",
        )
        positive(self, "rounds_learning_rate", below=10)
        check_augmentations("--critic.augment", self.augment)
        shares(self, "augment_share")
