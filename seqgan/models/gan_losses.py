"""GAN losses by name: pure functions of a discriminator's logits, and the gradient penalty.

A discriminator gives one logit f per sequence, positive for real; D = sigmoid(f). A row of
`GAN_LOSSES` says what the discriminator minimises, what a generator minimises that gets gradients
through its (relaxed) samples, and which reward the same objective is for policy gradient.

| name | discriminator at its optimum | reward | what the policy then descends |
|---|---|---|---|
| minimax | log p_data - log p_policy | -log(1 - D) | Jensen-Shannon divergence |
| non_saturating | the same | log D | reverse KL minus twice Jensen-Shannon |
| log_odds | the same | f | reverse KL |
| probability | the same | D | expected D (the SeqGAN paper) |
| penalty | the same | D - 1 | the same: a penalty instead of a reward (SentiGAN) |
| centred | the same | 2 D - 1 | the same, around 0 (ScratchGAN) |
| least_squares | p_data / (p_data + p_policy) | -(f - 1)^2 / 2 | |
| hinge | sign of p_data - p_policy | f | total variation |
| wasserstein | Lipschitz, with `gradient_penalty` | f | Wasserstein distance |
| difference | without bound | f | (DPGAN: per token the mean over the sequence, see `GANLoss`) |
| relativistic | log-odds plus any constant | E_real log sigmoid(f - f_real) | |
| pairwise | the same | E_real sigmoid(f - f_real) | (TextGAIL) |
| relativistic_average | | log sigmoid(f - mean f_real) | |
| ranking | | log R of `log_rank`, from features | (RankGAN) |

Shapes: B sequences, T tokens, E embedding, H features. Every function takes logits [B] (features
[B, H] in the row ranking) and raises ValueError for other shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import logsigmoid, softplus

from rollout.shapes import check_rank, check_rows

from ..config import CriticConfig
from .discriminators.base import Discriminator
from .ranking import rank_reward, ranking_loss

__all__ = ["GAN_LOSSES", "GANLoss", "binary_cross_entropy", "calibrated", "gradient_penalty"]

Loss = Callable[[Tensor, Tensor], Tensor]


class GANLoss(NamedTuple):
    """A row of `GAN_LOSSES`.

    Attributes:
        discriminator: ``(real [B], generated [B]) -> loss``, minimised by the discriminator.
        generator: ``(real [B], generated [B]) -> loss``, minimised by a generator through its
            samples; only the relativistic losses read the real logits.
        reward: ``(generated [N], real [M]) -> [N]``, the reward of each generated sequence; only
            the relativistic ones read the real logits, those of any M real sequences. So the reward
            of a sequence does not depend on the other generated ones.
        calibrated: the optimal logits are ``log p_data - log p_policy``, so that accuracies at 0
            and the held-out gain mean what they say.
        smoothing: the discriminator's loss takes ``smoothing``, see `binary_cross_entropy`.
        relativistic: the reward and the generator's loss read the real logits.
        by_mean: of a discriminator with a logit per token, sequences are compared by the means over
            their tokens, and not by each of their prefixes.
        features: all of them read features [B, H] in the place of logits; the logits are then
            trained beside them, as a probe that the features do not feel.
    """

    discriminator: Callable[..., Tensor]
    generator: Loss
    reward: Loss
    calibrated: bool
    smoothing: bool = False
    relativistic: bool = False
    by_mean: bool = False
    features: bool = False


def calibrated(discriminator: Discriminator, config: CriticConfig) -> bool:
    """Tells if a discriminator that is trained by these settings has log-odds as its logits."""
    loss = GAN_LOSSES[config.loss]
    return loss.calibrated and discriminator.calibrated and not config.label_smoothing


def binary_cross_entropy(real: Tensor, generated: Tensor, smoothing: float = 0.0) -> Tensor:
    """``-(E_real[(1 - s) log D + s log(1 - D)] + E_generated[log(1 - D)]) / 2``.

    Goodfellow et al. 2014, equation 1; the half makes it the mean over both halves of a batch. With
    one-sided label smoothing s (Salimans et al. 2016, section 3.4) the optimal logits are
    ``log (1 - s) p_data / (p_policy + s p_data)``, no longer the log-odds.

    Args:
        real: logits [B] of real sequences.
        generated: logits [B'] of generated ones.
        smoothing: s, the share of "generated" in the label of real sequences, from 0 to below 1.
    """
    check_rank(1, real=real, generated=generated)
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must lie in [0, 1), got {smoothing}")
    # -log D = softplus(-f), -log(1 - D) = softplus(f) = softplus(-f) + f
    return ((softplus(-real) + smoothing * real).mean() + softplus(generated).mean()) / 2


def _hinge(real: Tensor, generated: Tensor) -> Tensor:
    """``E_real[max(0, 1 - f)] + E_generated[max(0, 1 + f)]`` (Lim and Ye 2017)."""
    check_rank(1, real=real, generated=generated)
    return (1 - real).relu().mean() + (1 + generated).relu().mean()


def _wasserstein(real: Tensor, generated: Tensor) -> Tensor:
    """``E_generated[f] - E_real[f]`` (Arjovsky et al. 2017, equation 2)."""
    check_rank(1, real=real, generated=generated)
    return generated.mean() - real.mean()


def _least_squares(real: Tensor, generated: Tensor) -> Tensor:
    """``E_real[(f - 1)^2] / 2 + E_generated[f^2] / 2`` (Mao et al. 2017, equation 9)."""
    check_rank(1, real=real, generated=generated)
    return ((real - 1) ** 2).mean() / 2 + (generated**2).mean() / 2


def _relativistic(real: Tensor, generated: Tensor) -> Tensor:
    """``-E[log sigmoid(f_real - f_generated)]`` over pairs (Jolicoeur-Martineau 2018, RSGAN)."""
    check_rank(1, real=real)
    check_rows(len(real), generated=generated)
    return softplus(generated - real).mean()


def _relativistic_average(real: Tensor, generated: Tensor) -> Tensor:
    """Each kind against the mean logit of the other (Jolicoeur-Martineau 2018, RaSGAN).

    ``-E_real[log sigmoid(f - mean f_generated)] - E_generated[log(1 - sigmoid(f - mean f_real))]``
    """
    check_rank(1, real=real, generated=generated)
    ahead = softplus(generated.mean() - real).mean()
    return ahead + softplus(generated - real.mean()).mean()


def _by_rank(real: Tensor, generated: Tensor) -> Tensor:
    return -rank_reward(generated, real).mean()


def _swapped(loss: Loss) -> Loss:
    """The loss of a generator that wants both kinds to change places."""
    return lambda real, generated: loss(generated, real)


def _through_reward(reward: Loss) -> Loss:
    """The loss of a generator that raises the mean reward of its samples."""

    def loss(real: Tensor, generated: Tensor) -> Tensor:
        check_rank(1, real=real, generated=generated)
        return -reward(generated, real).mean()

    return loss


def _minus_log_generated(generated: Tensor, real: Tensor) -> Tensor:
    return softplus(generated)


def _log_real(generated: Tensor, real: Tensor) -> Tensor:
    return logsigmoid(generated)


def _logit(generated: Tensor, real: Tensor) -> Tensor:
    return generated


def _probability(generated: Tensor, real: Tensor) -> Tensor:
    return generated.sigmoid()


def _penalty(generated: Tensor, real: Tensor) -> Tensor:
    return -torch.sigmoid(-generated)


def _centred(generated: Tensor, real: Tensor) -> Tensor:
    return torch.tanh(generated / 2)


def _near_one(generated: Tensor, real: Tensor) -> Tensor:
    return -((generated - 1) ** 2) / 2


def _above_real(generated: Tensor, real: Tensor) -> Tensor:
    """``E_real[log sigmoid(f - f_real)]``, exactly the objective of the generator of RSGAN."""
    return logsigmoid(generated[:, None] - real[None, :]).mean(1)


def _taken_for_real(generated: Tensor, real: Tensor) -> Tensor:
    """``E_real[sigmoid(f - f_real)]``: the probability of being taken for the real one of a pair.

    The reward of TextGAIL (Wu et al. 2021, equation 3).
    """
    return torch.sigmoid(generated[:, None] - real[None, :]).mean(1)


def _above_mean(generated: Tensor, real: Tensor) -> Tensor:
    """``log sigmoid(f - mean f_real)``.

    The second half of RaSGAN's generator loss looks at the mean over generated sequences, so no
    reward of one sequence can stand for it; it is left out.
    """
    return logsigmoid(generated - real.mean())


def _with(discriminator: Loss, reward: Loss) -> GANLoss:
    return GANLoss(discriminator, _through_reward(reward), reward, calibrated=False)


def _against_real(discriminator: Loss, reward: Loss) -> GANLoss:
    return GANLoss(discriminator, _swapped(discriminator), reward, False, relativistic=True)


def _cross_entropy(reward: Loss) -> GANLoss:
    return GANLoss(binary_cross_entropy, _through_reward(reward), reward, True, smoothing=True)


GAN_LOSSES: dict[str, GANLoss] = {
    "minimax": _cross_entropy(_minus_log_generated),
    "non_saturating": _cross_entropy(_log_real),
    "log_odds": _cross_entropy(_logit),
    "probability": _cross_entropy(_probability),
    "penalty": _cross_entropy(_penalty),
    "centred": _cross_entropy(_centred),
    "least_squares": _with(_least_squares, _near_one),
    "hinge": _with(_hinge, _logit),
    "wasserstein": _with(_wasserstein, _logit),
    "difference": _with(_wasserstein, _logit)._replace(by_mean=True),
    "relativistic": _against_real(_relativistic, _above_real),
    "pairwise": GANLoss(
        _relativistic, _through_reward(_taken_for_real), _taken_for_real, False, relativistic=True
    ),
    "relativistic_average": _against_real(_relativistic_average, _above_mean),
    "ranking": GANLoss(
        ranking_loss, _by_rank, rank_reward, True, relativistic=True, features=True
    ),  # fmt: skip
}


def gradient_penalty(
    discriminator: Discriminator,
    real: Tensor,
    real_lengths: Tensor,
    generated: Tensor,
    generated_lengths: Tensor,
    uniforms: Tensor,
    *,
    condition: Any = None,
    target: float = 1.0,
) -> Tensor:
    """``E[(||grad_x f(x)|| - target)^2]`` (Gulrajani et al. 2017, equation 3).

    x lies between a real and a generated sequence of embeddings, ``u x_real + (1 - u)
    x_generated``. Sequences of two lengths have no points between them, so each pair is cut to the
    shorter of both: every position of x then lies between two tokens. With zeros in the place of
    the missing tokens, x would be longer than both for u near 1, and no sequence that the
    discriminator ever judges.

    The penalty has no gradient for the embeddings, only for what the discriminator does with them.

    Args:
        discriminator: its `forward_embedded` gives one logit per sequence.
        real: embeddings [B, T, E] of real sequences.
        real_lengths: int64 [B], at least 1.
        generated: embeddings [B, T', E] of generated sequences.
        generated_lengths: int64 [B], at least 1.
        uniforms: u [B], in (0, 1).
        condition: a pytree of tensors, batch first, or None, of the pairs.
        target: norm that is wanted; 0 for a penalty of any slope.

    Returns:
        One number, to be weighted (by 10 in the paper) and added to the discriminator's loss.

    Raises:
        ValueError: other shapes, or a discriminator with a logit per token.
    """
    check_rank(3, real=real, generated=generated)
    check_rows(len(real), uniforms=uniforms, real_lengths=real_lengths)
    check_rows(len(generated), generated_lengths=generated_lengths)
    if real.shape[::2] != generated.shape[::2]:
        raise ValueError(
            f"real {list(real.shape)} and generated {list(generated.shape)} must be as many "
            "sequences with embeddings of the same size"
        )
    if discriminator.per_token:
        raise ValueError("a gradient penalty needs a discriminator with one logit per sequence")
    lengths = torch.minimum(real_lengths, generated_lengths)
    width = min(real.shape[1], generated.shape[1])
    share = uniforms[:, None, None].to(real.dtype)
    inside = torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]
    between = share * real[:, :width] + (1 - share) * generated[:, :width]
    between = torch.where(inside[..., None], between, 0.0).detach().requires_grad_()
    recurrent = any(isinstance(module, nn.RNNBase) for module in discriminator.modules())
    # cuDNN has no second derivatives of recurrent layers; PyTorch's own kernels have.
    kernels = torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
    # Nor have the fast kernels of attention.
    with torch.enable_grad(), kernels, sdpa_kernel(SDPBackend.MATH):
        logits = discriminator.forward_embedded(between, lengths, condition)
        (slope,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
    # A root at 0 has no gradient; nothing that a float32 norm near `target` shows.
    norms = (slope.flatten(1).square().sum(1) + 1e-12).sqrt()
    return ((norms - target) ** 2).mean()
