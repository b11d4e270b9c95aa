"""The discriminator's loss of a batch of pairs, real and generated, in all of its forms.

Shapes: R sequences of a process, T tokens, V vocabulary, E embedding, K views.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rollout import Sequences

from ..config import CriticConfig
from ..models import Discriminator
from ..models.gan_losses import GAN_LOSSES, binary_cross_entropy, gradient_penalty
from ..models.hierarchy import labels_of, within_labels
from .processes import Part
from .runtime import Runtime

__all__ = ["PairLoss", "of_prefixes"]


class PairLoss:
    """The loss of pairs.

    Args:
        judge: the discriminator.
        config: which loss.
        runtime: precision.

    Attributes:
        compares_labels: the loss is taken within each label too (CatGAN).
    """

    def __init__(self, judge: Discriminator, config: CriticConfig, runtime: Runtime):
        self.judge, self.config, self.runtime = judge, config, runtime
        self.loss = GAN_LOSSES[config.loss]
        self.compares_labels = False

    def __call__(
        self, pairs: list[Sequences], part: Part, uniforms: Tensor | None, vectors: Tensor | None
    ) -> Tensor:
        """The share of this process in the loss of a batch of pairs, real and generated."""
        # One batch, so that a step is one pass; the same length for both kinds.
        with self.runtime.autocast():
            both = Sequences.concat(pairs, pad_id=0)
            if self.loss.features:
                return part.of_sequences(self.by_features(both))
            if self.judge.classes:
                return part.of_sequences(self._by_classes(both))
            if vectors is None and self.judge.views == 1:
                logits = self.judge(both)
            else:
                given = self._joined(pairs, both, vectors), both.lengths, both.condition
                per_token = self.judge.per_token
                judged = self.judge.forward_embedded if per_token else self.judge.views_embedded
                logits = judged(*given)
        if self.judge.per_token:
            lengths = both.lengths
            logits = logits.sum(1) / lengths if self.loss.by_mean else of_prefixes(logits, lengths)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        smoothing = self.config.label_smoothing
        more = {"smoothing": smoothing} if smoothing else {}
        views = logits.numel() // len(both)
        real, generated = logits.flatten().chunk(2)
        loss = self.loss.discriminator(real, generated, **more)
        if self.compares_labels:
            labels = labels_of(both, views)
            if labels is not None:
                loss = loss + within_labels(self.config.loss, real, generated, *labels.chunk(2))
        own = self.judge.own_penalty()
        if own is not None:
            loss = loss + own
        if uniforms is not None:
            loss = loss + self.config.penalty * self._penalty(pairs, uniforms, vectors)
        return part.of_sequences(loss)

    def _by_classes(self, both: Sequences) -> Tensor:
        """SentiGAN's loss of a batch, real ones first: cross-entropy over labels and generated.

        A real sequence is of the class of its label, a generated one of the last class.
        """
        embedded = self.judge.embedding(both.tokens)
        outputs = self.judge.class_logits(embedded, both.lengths)
        labels = labels_of(both)
        assert labels is not None, "a network with classes reads labels"
        real = labels[: len(both) // 2]
        wanted = torch.cat([real, torch.full_like(real, self.judge.classes - 1)])
        loss = functional.cross_entropy(outputs, wanted)
        own = self.judge.own_penalty()
        return loss if own is None else loss + own

    def by_features(self, both: Sequences) -> Tensor:
        """The loss of a batch, real ones first, by features, and that of a probe upon them.

        The probe is the output layer, which learns log-odds from features that do not feel it: so
        accuracies, held-out gain and explanations mean what they mean elsewhere.
        """
        features = self.judge.features(both)
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        real, generated = self.judge.judged(features.detach()).chunk(2)
        probe = binary_cross_entropy(real, generated)
        loss: Tensor = self.loss.discriminator(*features.chunk(2))
        own = self.judge.own_penalty()
        return loss + probe if own is None else loss + probe + own

    def _joined(self, pairs: list[Sequences], both: Sequences, vectors: Tensor | None) -> Tensor:
        """Embeddings [2 R, T, E] of real and of generated sequences, of one T."""
        if vectors is None:
            return self.judge.embedding(both.tokens)
        width = both.tokens.shape[1]
        return torch.cat(
            [
                functional.pad(each, (0, 0, 0, width - each.shape[1]))
                for each in self._embedded(pairs, vectors)
            ]
        )

    def _embedded(self, pairs: list[Sequences], vectors: Tensor | None) -> list[Tensor]:
        """Embeddings [R, T, E] of real and of generated sequences, each of its own T."""
        embedded = [self.judge.embedding(each.tokens) for each in pairs]
        if vectors is not None:
            weight = self.judge.embedding.weight
            embedded[1] = vectors.to(weight.dtype) @ weight
        return embedded

    def _penalty(self, pairs: list[Sequences], uniforms: Tensor, vectors: Tensor | None) -> Tensor:
        """The gradient penalty on a batch of pairs, real and generated."""
        real, generated = pairs
        theirs, ours = self._embedded(pairs, vectors)
        return gradient_penalty(
            self.judge, theirs, real.lengths, ours, generated.lengths, uniforms,
            condition=real.condition,
        )  # fmt: skip


def of_prefixes(logits: Tensor, lengths: Tensor) -> Tensor:
    """Logits [B, T] of the prefixes of each sequence, out of those of its tokens.

    The prefixes of a sequence that is shorter than T come again from the first, so that each counts
    about the same, no padding counts, and the host need not know the lengths.
    """
    places = torch.arange(logits.shape[1], device=logits.device) % lengths[:, None].clamp(min=1)
    return logits.cumsum(1).gather(1, places)
