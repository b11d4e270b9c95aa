"""CatGAN's hierarchy of losses: among all sequences, and among those of each label.

Shapes: B real and B' generated sequences.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rollout import Sequences
from rollout.shapes import check_rank, check_rows

__all__ = ["labels_of", "within_labels"]


def within_labels(
    name: str, real: Tensor, generated: Tensor, real_labels: Tensor, labels: Tensor
) -> Tensor:
    """A relativistic discriminator's loss within each label, summed over the labels.

    Liu, Wang and Liang 2020 (section "Category-wise relativistic objective") sum over k categories
    the loss of as many real and generated sequences of each. Here a batch holds as many of a label
    as were drawn, so within a label every real sequence is compared with every generated one
    (relativistic), or with their mean (relativistic_average). A label that one of both kinds lacks
    counts 0. The generator's loss is the same with the kinds in each other's place.

    Args:
        name: relativistic or relativistic_average.
        real: logits [B].
        generated: logits [B'].
        real_labels: int64 [B].
        labels: int64 [B'], of the generated ones.

    Raises:
        ValueError: other shapes.
    """
    check_rank(1, real=real, generated=generated)
    check_rows(len(real), real_labels=real_labels)
    check_rows(len(generated), labels=labels)
    same = (real_labels[:, None] == labels[None, :]).to(real.dtype)  # [B, B']
    theirs, ours = same.sum(1), same.sum(0)  # rows of the other kind with the label
    count, others = _rows_alike(real_labels), _rows_alike(labels)
    if name == "relativistic":
        pairs = softplus(generated[None, :] - real[:, None]) * same
        return (pairs.sum(1) / (count * theirs).clamp(min=1)).sum()
    ahead = softplus(same @ generated / theirs.clamp(min=1) - real)
    behind = softplus(generated - real @ same / ours.clamp(min=1))
    up = torch.where(theirs > 0, ahead / count, 0.0).sum()
    return up + torch.where(ours > 0, behind / others, 0.0).sum()


def labels_of(sequences: Sequences, views: int = 1) -> Tensor | None:
    """Labels int64 [B views] of sequences, each as often as it is judged; None without labels."""
    condition = sequences.condition
    if not isinstance(condition, dict) or "label" not in condition:
        return None
    found: Tensor = condition["label"].repeat_interleave(views)
    return found


def _rows_alike(labels: Tensor) -> Tensor:
    """For each row the number of rows of its label."""
    return (labels[:, None] == labels[None, :]).sum(1)
