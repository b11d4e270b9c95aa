"""Transforms between values and advantage: the one place that may look at the whole batch.

A reward must not depend on the other sequences of a batch, since rollouts are scored in batches of
any size. MaliGAN's weights, ranks and the standardised rewards of GRPO do depend on them; they are
transforms of the values [B, T] that rollouts or rewards have given. A baseline may follow.

Every transform is called as ``transform(values [B, T], mask [B, T], groups) -> [B, T]``; the
result has no gradient and is 0 after a sequence's end. Sequences with equal numbers in `groups`
(int64 [B]) are compared with each other only; None: the whole batch is one group.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .devices import exact_dtype
from .returns import same_group
from .shapes import check_tokens

__all__ = [
    "TRANSFORMS",
    "Transform",
    "group_centre",
    "group_standardise",
    "maligan",
    "of_sentence",
    "rank",
    "standardise",
    "unchanged",
]

Transform = Callable[[Tensor, Tensor, Tensor | None], Tensor]

_RANK_SLOPE = 16.0
"""Of the sigmoid in `rank`: the value in LeakGAN's own code."""


def unchanged(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """The values as they are.

    Args:
        values: [B, T].
        mask: bool [B, T].
        groups: has no effect.

    Raises:
        ValueError: `values` and `mask` are not [B, T].
    """
    check_tokens(mask, values=values)
    return torch.where(mask, values.detach(), 0.0)


def maligan(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """MaliGAN's weights, ``n r_i / sum_j r_j - 1`` with ``r = D / (1 - D) = exp(value)``.

    Che et al. 2017, algorithm 1: weighted by the density ratio that the discriminator implies, the
    policy's own samples stand for data, and the policy gradient becomes that of the likelihood. The
    paper sums over the n sequences of the batch where losses here take means, hence the factor n.
    The 1 is the mean of these weights, the paper's baseline ``b = 1 / n``.

    After a prefix r is an expectation over its completions, whose mean over all sequences does not
    change with the position. So the sum at a position is over all sequences, and one that has
    ended counts with its last value.

    Args:
        values: [B, T], log-odds ``log D - log(1 - D)`` (not probabilities).
        mask: bool [B, T].
        groups: int64 [B], or None.

    Returns:
        [B, T]: at least -1; the mean over a group is 0.

    Raises:
        ValueError: a shape is not as above.
    """
    check_tokens(mask, values=values)
    group = _group(values, groups)
    log_ratios = _with_last_value(values, mask)
    largest = torch.stack([_group_max(column, group) for column in log_ratios.unbind(1)], 1)
    ratios = (log_ratios - largest).exp()
    counts = _group_sum(mask.any(1).to(ratios.dtype)[:, None], group)
    weights = counts * ratios / _group_sum(ratios, group)
    return torch.where(mask, weights - 1, 0.0).to(values.dtype)


def rank(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """LeakGAN's bootstrapped rescaling, ``sigmoid(16 (0.5 - rank / n))``.

    Guo et al. 2018, section "Bootstrapped rescaled activation". Per position, `rank` is 1 for the
    highest of the n values of the sequences that reach it, n for the lowest; equal values share
    their mean rank. The result depends on the order of the values alone, so it stays of one size
    when a discriminator gets far ahead. (RankGAN ranks against reference texts in its reward; with
    this transform any reward is ranked within the batch.)

    Args:
        values: [B, T].
        mask: bool [B, T].
        groups: int64 [B], or None.

    Returns:
        [B, T], in (0, 1).

    Raises:
        ValueError: a shape is not as above.
    """
    check_tokens(mask, values=values)
    group = _group(values, groups)
    columns = []
    for column, reached in zip(values.detach().unbind(1), mask.unbind(1), strict=True):
        rivals = reached[None, :] if group is None else group & reached[None, :]
        higher = (rivals & (column[None, :] > column[:, None])).sum(1)
        equal = (rivals & (column[None, :] == column[:, None])).sum(1)
        place = (higher + 0.5 * (equal + 1)) / rivals.sum(1).clamp(min=1)
        columns.append(torch.sigmoid(_RANK_SLOPE * (0.5 - place)))
    return torch.where(mask, torch.stack(columns, 1), 0.0).to(values.dtype)


def of_sentence(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """Values times the mean reward per token of their sequence, DPGAN's reward.

    Xu et al. 2018 multiply the reward of a word by that of its sentence, the mean over its words,
    before rewards to come are added up. The value of the first token is the sum over the sequence,
    so the factor is that value divided by the length.

    Args:
        values: [B, T], of a reward per token: sums of the rewards from each token on.
        mask: bool [B, T].
        groups: has no effect.

    Returns:
        [B, T].

    Raises:
        ValueError: `values` and `mask` are not [B, T].
    """
    check_tokens(mask, values=values)
    kept = torch.where(mask, values.detach(), 0.0)
    return kept * (kept[:, :1] / mask.sum(1, keepdim=True).clamp(min=1))


def standardise(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """``(Q - mean) / std`` over all tokens of the batch, as PPO codes do with advantages.

    Long sequences count more than short ones here; in `group_standardise` all count the same. The
    standard deviation is that of the population, and values that are all equal become 0.

    Args:
        values: [B, T].
        mask: bool [B, T].
        groups: has no effect.

    Returns:
        [B, T], with mean 0 and standard deviation 1 over the tokens.

    Raises:
        ValueError: `values` and `mask` are not [B, T].
    """
    check_tokens(mask, values=values)
    return _standardised(values, mask, None, mask.to(exact_dtype(values.device)), divide=True)


def group_standardise(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """``(Q - mean) / std`` within each group, the advantage of GRPO.

    Shao et al. 2024, section 4.1.2. Each sequence counts once, by the mean over its tokens; where
    a sequence has the same value (its reward) at every token, mean and standard deviation are
    those of the group's rewards. The standard deviation is that of the population. A group whose
    values are all equal becomes 0.

    Args:
        values: [B, T].
        mask: bool [B, T].
        groups: int64 [B], or None.

    Returns:
        [B, T].

    Raises:
        ValueError: a shape is not as above.
    """
    return _by_sequence(values, mask, groups, divide=True)


def group_centre(values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
    """``Q - mean`` within each group: Dr. GRPO, which leaves the division by std out.

    Liu et al. 2025, "Understanding R1-Zero-like training", section 3: the division gives questions
    that are almost always or almost never solved a larger weight. Each sequence counts once, as in
    `group_standardise`.

    Args:
        values: [B, T].
        mask: bool [B, T].
        groups: int64 [B], or None.

    Returns:
        [B, T].

    Raises:
        ValueError: a shape is not as above.
    """
    return _by_sequence(values, mask, groups, divide=False)


TRANSFORMS: dict[str, Transform] = {
    "none": unchanged,
    "maligan": maligan,
    "rank": rank,
    "of_sentence": of_sentence,
    "standardise": standardise,
    "group_standardise": group_standardise,
    "group_centre": group_centre,
}
"""Transforms by the name that settings give."""


def _group(values: Tensor, groups: Tensor | None) -> Tensor | None:
    """The table of `same_group`; None where all sequences are one group."""
    return None if groups is None else same_group(len(values), groups, values.device)


def _group_sum(values: Tensor, group: Tensor | None) -> Tensor:
    """Sums [B, T] of `values` [B, T] over each sequence's group."""
    if group is None:
        return values.sum(0, keepdim=True).expand_as(values)
    return group.to(values.dtype) @ values


def _group_max(values: Tensor, group: Tensor | None) -> Tensor:
    """Largest of `values` [B] in each sequence's group, [B]."""
    if group is None:
        return values.amax(0).expand_as(values)
    return torch.where(group, values[None, :], -torch.inf).amax(1)


def _with_last_value(values: Tensor, mask: Tensor) -> Tensor:
    """Float64 values [B, T] that go on after a sequence's end; -inf for an empty sequence."""
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (places * mask).amax(1)  # not the count less 1: what was given is masked too
    filled = torch.where(mask, values, values.gather(1, last[:, None])).detach()
    return filled.to(exact_dtype(values.device)).masked_fill(~mask.any(1)[:, None], -torch.inf)


def _by_sequence(values: Tensor, mask: Tensor, groups: Tensor | None, *, divide: bool) -> Tensor:
    """Standardised or centred values where every sequence counts once."""
    check_tokens(mask, values=values)
    weights = mask.to(exact_dtype(values.device))
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    return _standardised(values, mask, _group(values, groups), weights, divide=divide)


def _standardised(
    values: Tensor, mask: Tensor, group: Tensor | None, weights: Tensor, *, divide: bool
) -> Tensor:
    """``(Q - mean) / std`` in each group [B, B], with the weights [B, T] of the tokens."""

    def mean_of(terms: Tensor) -> Tensor:
        """Weighted means [B, 1] of `terms` [B, T]."""
        total = _group_sum((weights * terms).sum(1, keepdim=True), group)
        return total / _group_sum(weights.sum(1, keepdim=True), group).clamp(min=1)

    kept = torch.where(mask, values.detach(), 0.0).to(weights.dtype)
    centred = torch.where(mask, kept - mean_of(kept), 0.0)
    if divide:
        spread = mean_of(centred**2).sqrt()
        # Between equal values there is nothing but rounding, which must not be blown up.
        rounding = 1e-6 * _group_max(kept.abs().amax(1), group)[:, None]
        centred = torch.where(spread > rounding, centred / spread, 0.0)
    return centred.to(values.dtype)
