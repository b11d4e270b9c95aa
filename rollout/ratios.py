"""Density ratios: weights, effective sample size, partition function, resampling and rejection.

Samples y of a policy q are weighted towards another model ``p(y) = q(y) r(y) / Z``, with
``Z = E_q[r]``. The ratio r is given by its logarithm: ``beta f(y)`` for the log-odds f of a
discriminator (a residual energy model, with energy -beta f), or ``log p_other(y) - log q(y)``.

Shapes: N samples, R rows of N candidates each, k draws. All sums are in logarithms and float64. A
log-ratio of -inf is a weight of 0; NaN, +inf and samples that all have weight 0 are errors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .devices import exact_dtype
from .shapes import check_rank, check_rows, check_tokens

__all__ = [
    "RESAMPLING",
    "LogPartition",
    "WeightedMean",
    "dpg_weights",
    "effective_sample_size",
    "importance_weights",
    "log_partition",
    "rejection_mask",
    "resample",
    "truncated_importance_weights",
    "weighted_mean",
]

RESAMPLING = ("systematic", "stratified", "multinomial")
"""Methods of `resample`."""


def importance_weights(log_ratios: Tensor) -> Tensor:
    """Self-normalised weights, ``w_i = r_i / sum_j r_j`` (Owen 2013, section 9.2).

    Args:
        log_ratios: [N].

    Returns:
        float64 [N], with sum 1.

    Raises:
        ValueError: no samples, NaN or +inf, or only weights of 0.
    """
    return _checked(log_ratios, 1).softmax(0)


def effective_sample_size(log_ratios: Tensor) -> Tensor:
    """``(sum r)^2 / sum r^2``: as many equally weighted samples would tell as much (Kong 1992).

    Args:
        log_ratios: [N].

    Returns:
        float64 scalar from 1 to N.

    Raises:
        ValueError: as `importance_weights`.
    """
    wide = _checked(log_ratios, 1)
    return (2 * wide.logsumexp(0) - (2 * wide).logsumexp(0)).exp()


class LogPartition(NamedTuple):
    """Estimates of log Z from N samples, in nats.

    Attributes:
        lower: its expectation is below log Z, for every N.
        upper: its expectation is above log Z, for N large enough; +inf for one sample, and if
            only one has a weight.
        estimate: halfway between; its bias falls with 1 / N^2 where that of the others falls with
            1 / N.
        standard_error: of each of them, to first order.
        effective: the effective sample size.
    """

    lower: float
    upper: float
    estimate: float
    standard_error: float
    effective: float


def log_partition(log_ratios: Tensor) -> LogPartition:
    """Log Z, ``log E_q[r]``, between the two bounds of Deng et al. 2020.

    With ``T_n = log (1 / n) sum_i r_i`` and the mean ``T_{n-1}`` of the n values that leave one
    sample out,

    * ``T_n`` lies below log Z in expectation, by Jensen's inequality. Its bias is ``-s / n`` to
      first order, with ``s = Var(r) / (2 Z^2)``.
    * ``(2n - 1) T_n - 2 (n - 1) T_{n-1}`` has the biases ``-(2n - 1) s / n + 2 s = +s / n``.
    * Halfway between, ``n T_n - (n - 1) T_{n-1}``, the jackknife, has none to first order (Nowozin
      2018, "Debiasing evidence approximations").

    A held-out sequence has log-likelihood ``log q(y) + log r(y) - log Z``: with `upper` that is a
    cautious figure, with `lower` an optimistic one. Both are bounds of an expectation; where
    `effective` is a small part of N, neither can be relied on.

    Args:
        log_ratios: [N], log r of N independent samples of q.

    Raises:
        ValueError: as `importance_weights`.
    """
    wide = _checked(log_ratios, 1)
    n = len(wide)
    total = wide.logsumexp(0)
    lower = float(total) - math.log(n)
    effective = float(effective_sample_size(wide))
    if n == 1:
        return LogPartition(lower, math.inf, math.inf, math.inf, effective)
    weights = (wide - total).exp()
    # log(sum - r_i). It would lose all digits where r_i is nearly the sum: the largest, whose
    # weight alone can be above one half, is left out by adding up the others.
    largest = int(wide.argmax())
    left_out = total + torch.log1p(-weights)
    left_out[largest] = torch.cat([wide[:largest], wide[largest + 1 :]]).logsumexp(0)
    without = float(left_out.mean()) - math.log(n - 1)
    spread = float((n * weights - 1).square().sum() / (n - 1))
    return LogPartition(
        lower=lower,
        upper=(2 * n - 1) * lower - 2 * (n - 1) * without,
        estimate=n * lower - (n - 1) * without,
        standard_error=math.sqrt(spread / n),
        effective=effective,
    )


class WeightedMean(NamedTuple):
    """A self-normalised mean and its standard error."""

    mean: float
    standard_error: float


def weighted_mean(values: Tensor, log_ratios: Tensor) -> WeightedMean:
    """``E_p[v]`` from samples of q, ``sum_i w_i v_i`` (Owen 2013, section 9.2).

    The standard error is ``sqrt(sum_i w_i^2 (v_i - mean)^2)``.

    Args:
        values: [N], finite at samples with a weight.
        log_ratios: [N].

    Raises:
        ValueError: as `importance_weights`; other shapes; a value that is not finite.
    """
    weights = importance_weights(log_ratios)
    check_rows(len(weights), values=values)
    wide = torch.where(weights > 0, values.detach().to(weights), 0.0)
    if not bool(wide.isfinite().all()):
        raise ValueError("values must be finite at samples with a weight")
    mean = weights @ wide
    return WeightedMean(float(mean), float((weights * (wide - mean)).norm()))


def resample(
    log_ratios: Tensor, count: int, uniforms: Tensor, method: str = "systematic"
) -> Tensor:
    """Draws `count` of N samples with probabilities ``r_i / sum r`` (Rubin 1987, "SIR").

    The chosen samples are distributed as p, but for a bias that falls with the effective sample
    size. The same sample may be chosen several times.

    * "multinomial": draws are independent, one uniform number each.
    * "stratified": draw j falls into the j-th of `count` equal parts of the probability; sample i
      is chosen n w_i times in expectation with less variance (Kitagawa 1996).
    * "systematic": as stratified with one number for all draws, so that sample i is chosen n w_i
      times, rounded up or down.

    Args:
        log_ratios: [N], or [R, N] for R independent choices.
        count: number of draws k from each row, at least 1.
        uniforms: in (0, 1), [k] or [R, k]; for "systematic" [1] or [R, 1].
        method: one of `RESAMPLING`.

    Returns:
        int64 [k] or [R, k], positions among the N; never one with weight 0. They are in ascending
        order unless the method is "multinomial".

    Raises:
        ValueError: as `importance_weights`, for any row; other shapes; an unknown method.
    """
    if method not in RESAMPLING:
        raise ValueError(f"method must be one of {', '.join(RESAMPLING)}, got {method!r}")
    if count < 1:
        raise ValueError(f"count must be 1 or more, got {count}")
    weights = _checked(log_ratios, log_ratios.ndim).softmax(-1)
    shape = [*log_ratios.shape[:-1], 1 if method == "systematic" else count]
    if list(uniforms.shape) != shape:
        raise ValueError(
            f"uniforms must be {shape} for method {method!r}, got {list(uniforms.shape)}"
        )
    points = uniforms.to(weights).expand(*shape[:-1], count)
    if method != "multinomial":
        points = (points + torch.arange(count, device=points.device)) / count
    cdf = weights.cumsum(-1)
    total = cdf[..., -1:]
    # Strictly below the sum, so that a search always ends on a sample with a weight.
    targets = torch.minimum(points, 1 - torch.finfo(cdf.dtype).eps * torch.ones_like(total)) * total
    return torch.searchsorted(cdf, targets.contiguous(), right=True)


def rejection_mask(log_ratios: Tensor, log_bound: float, uniforms: Tensor) -> Tensor:
    """Accepts each sample with probability ``r / M`` (von Neumann 1951): exact samples of p.

    The share that is accepted is ``Z / M``.

    Args:
        log_ratios: [N], each at most `log_bound`.
        log_bound: log M, a bound on log r for every sequence, not only for these.
        uniforms: [N], in (0, 1).

    Returns:
        bool [N], True for accepted samples.

    Raises:
        ValueError: a log-ratio above the bound, NaN, or other shapes.
    """
    check_rank(1, log_ratios=log_ratios)
    check_rows(len(log_ratios), uniforms=uniforms)
    if bool(log_ratios.isnan().any()):
        raise ValueError("log_ratios must not be NaN")
    wide = log_ratios.detach().to(exact_dtype(log_ratios.device))
    if len(wide) and float(wide.max()) > log_bound:
        raise ValueError(
            f"log_bound {log_bound} is no bound: a log-ratio is {float(wide.max())}; "
            "samples accepted so far do not have the right distribution"
        )
    return uniforms.to(wide).log() < wide - log_bound


def truncated_importance_weights(
    log_prob: Tensor,
    old_log_prob: Tensor,
    mask: Tensor,
    limit: float = 2.0,
    *,
    per_token: bool = True,
) -> Tensor:
    """``min(pi / pi_old, limit)``: corrects samples of an older or slightly different policy.

    Truncated importance sampling (Ionides 2008): the bias comes from ratios above the limit only,
    and the variance stays finite. Multiply the advantage by it.

    Args:
        log_prob: [B, T], under the policy that is trained.
        old_log_prob: [B, T], under the policy that sampled the sequences.
        mask: bool [B, T].
        limit: largest weight, above 0.
        per_token: a ratio per token (less variance, biased for long sequences); otherwise the
            ratio of the whole sequence at each of its tokens (no bias but for the limit).

    Returns:
        [B, T], without gradient; 0 after a sequence's end.

    Raises:
        ValueError: other shapes, or a limit that is not above 0.
    """
    check_tokens(mask, log_prob=log_prob, old_log_prob=old_log_prob)
    if not limit > 0:
        raise ValueError(f"limit must be above 0, got {limit}")
    log_ratio = torch.where(mask, (log_prob - old_log_prob).detach(), 0.0)
    if not per_token:
        log_ratio = log_ratio.sum(1, keepdim=True).expand_as(log_ratio)
    # The limit goes into the logarithm, where nothing overflows.
    return torch.where(mask, log_ratio.clamp(max=math.log(limit)).exp(), 0.0)


def dpg_weights(
    log_target: Tensor,
    log_policy: Tensor,
    log_normaliser: float | Tensor,
    log_proposal: Tensor | None = None,
) -> Tensor:
    """Advantages of distributional policy gradient, ``P / (Z q) - pi / q``.

    With them policy gradient on samples of q descends ``KL(P / Z || pi)``, the gradient of
    likelihood on samples of the target (Parshakova et al. 2019; Khalifa et al. 2021). The second
    part is the baseline of Korbak et al. 2022, "On reinforcement learning and distribution
    matching for fine-tuning language models": it takes variance out and has expectation 1.

    Args:
        log_target: [B], log P of the samples, not normalised.
        log_policy: [B], log pi of the samples, the policy that is trained.
        log_normaliser: log Z of P, for instance from `log_partition`.
        log_proposal: [B], log q of the policy that sampled them; None: pi itself, which makes the
            baseline 1.

    Returns:
        [B], without gradient; the mean over samples of q is 0 in expectation.

    Raises:
        ValueError: a tensor is not [B].
    """
    check_rank(1, log_target=log_target)
    proposal = log_policy if log_proposal is None else log_proposal
    check_rows(len(log_target), log_policy=log_policy, log_proposal=proposal)
    towards = (log_target - log_normaliser - proposal).exp()
    return (towards - (log_policy - proposal).exp()).detach()


def _checked(log_ratios: Tensor, rank: int) -> Tensor:
    """Log-ratios [N] or [R, N] in float64 without gradient, with a weight in every row."""
    check_rank(2 if rank == 2 else 1, log_ratios=log_ratios)
    if not log_ratios.shape[-1]:
        raise ValueError("log_ratios is empty: there are no samples to weight")
    wide = log_ratios.detach().to(exact_dtype(log_ratios.device))
    if bool((wide.isnan() | (wide == torch.inf)).any()):
        raise ValueError("log_ratios must not be NaN or +inf")
    if bool(wide.isneginf().all(-1).any()):
        raise ValueError("log_ratios are all -inf: no sample has a weight")
    return wide
