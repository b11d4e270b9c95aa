"""Settings of the CNN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import dropout, not_negative, require, sizes
from .base import DiscriminatorConfig

__all__ = ["CNN"]

PAPER_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
PAPER_FILTERS = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)


@dataclass
class CNN(DiscriminatorConfig):
    """The SeqGAN paper's network: convolutions of 12 widths, maximum over time, a highway layer.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        representations: embeddings of each token, that many of this size (RelGAN); the same filters
            judge each, and their logits are averaged.
        loss_of_each: the loss is taken of the logit of each representation (RelGAN); off: of their
            mean (CatGAN).
        label_classes: an output for each label and one for generated sequences (SentiGAN), in the
            place of reading the label; the log-odds are those of the sequence's own label against
            all other outputs, and the loss is the cross-entropy of the classes. Without labels it
            is as if off.
        widths: filter widths in tokens.
        filters: number of filters of each width.
        filter_share: share of these numbers of filters, for a narrower network.
        dropout: probability of dropping a feature in training, from 0 to below 1.
        output_l2: weight of the squares of the output layer's weights in the loss (the SeqGAN code:
            0.2).
        spectral_norm: divide each layer's weights by their largest singular value.
    """

    rare = ("widths", "filters", "representations", "loss_of_each", "label_classes", "output_l2",
            "spectral_norm")  # fmt: skip

    has_features = True

    builds: ClassVar[str] = "seqgan.models.discriminators.cnn"
    architecture: str = "cnn"
    embedding: int = 64
    representations: int = 1
    loss_of_each: bool = False
    label_classes: bool = False
    widths: list[int] = field(default_factory=lambda: list(PAPER_WIDTHS))
    filters: list[int] = field(default_factory=lambda: list(PAPER_FILTERS))
    filter_share: float = 1.0
    dropout: float = 0.25
    output_l2: float = 0.0
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "representations")
        widths, filters = self.widths, self.filters
        require(
            len(widths) == len(filters) > 0 and all(1 <= x <= 10_000 for x in widths + filters),
            f"--discriminator.widths: {len(widths)} widths but {len(filters)} numbers of filters; "
            "give as many of both, from 1 to 10,000 each",
        )
        share = self.filter_share
        require(0 < share <= 1, f"--discriminator.filter_share: {share} is not in (0, 1]")
        dropout(self)
        not_negative(self, "output_l2")
        require(
            not (self.label_classes and self.loss_of_each),
            "--discriminator.label_classes has one loss, of the classes, and none of each "
            "representation; set --discriminator.loss_of_each false",
        )
