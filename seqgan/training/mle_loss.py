"""The loss of maximum likelihood, with label smoothing and scheduled sampling.

Shapes: B sequences, T tokens, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rollout import Policy, Sampler, Sequences, nll_loss

from ..config import PretrainConfig
from ..models import Generator
from .processes import Part, Processes

__all__ = ["MLELoss", "RealBatch", "mle_term", "own_inputs", "real_batch", "smoothed_nll",
    "tokens_per_sequence",
]  # fmt: skip

_PLAIN = Sampler()


class MLELoss:
    """The loss of a batch of real sequences.

    Args:
        config: label smoothing and scheduled sampling.
    """

    def __init__(self, config: PretrainConfig):
        self.config = config

    def share(self, step: int) -> float:
        """Share of inputs that are the model's own tokens after `step` gradient steps."""
        risen = min(1.0, step / self.config.scheduled_sampling_steps)
        return self.config.scheduled_sampling * risen

    def __call__(
        self,
        generator: Generator,
        batch: Sequences,
        part: Part,
        step: int,
        rng: torch.Generator | None,
    ) -> Tensor:
        """The share of this process in the mean loss per token of a batch.

        Args:
            generator: in training mode.
            batch: the whole batch.
            part: the rows of it that this process works on.
            step: gradient steps before this one.
            rng: of the model's own tokens, in the same state in all processes; None: there are
                none, as at step 0.
        """
        mine = batch.select(part.rows).trim(wait=False)
        smoothing, share = self.config.label_smoothing, self.share(step)
        if not smoothing and not share:
            loss = nll_loss(generator(mine).log_prob, mine.mask)
            return part.of_tokens(_with_own(loss, generator, mine), batch.mask)
        # The model's own tokens and its prediction go by the same noise.
        mine = inputs = generator.asked(mine)
        if share:
            numbers = torch.rand(2, part.total, batch.tokens.shape[1], generator=rng)
            width = mine.tokens.shape[1]
            inputs = own_inputs(generator, mine, share, *numbers[:, part.rows, :width])
        features = generator.features(inputs)
        if smoothing:
            loss = smoothed_nll(generator.head(features), mine, smoothing)
        else:
            loss = nll_loss(generator.head.scores(features, mine).log_prob, mine.mask)
        return part.of_tokens(_with_own(loss, generator, mine), batch.mask)


def _with_own(loss: Tensor, generator: Generator, mine: Sequences) -> Tensor:
    """The loss with that of the generator's parts that likelihood does not train, if any."""
    own = generator.own_loss(mine, mine.mask.float())
    return loss if own is None else loss + own


def smoothed_nll(logits: Tensor, sequences: Sequences, smoothing: float) -> Tensor:
    """``-mean[(1 - s) log p(token) + s mean_v log p(v)]`` over tokens (Szegedy et al. 2016).

    The inner mean is over the tokens that can be emitted: those with finite logits.

    Args:
        logits: [B, T, V].
        sequences: the tokens.
        smoothing: s, from 0 to below 1.
    """
    log_probs = logits.float().log_softmax(-1)
    taken = log_probs.gather(-1, sequences.tokens[..., None])[..., 0]
    possible = log_probs.detach() > -torch.inf
    everyone = torch.where(possible, log_probs, 0.0).sum(-1) / possible.sum(-1).clamp(min=1)
    return nll_loss((1 - smoothing) * taken + smoothing * everyone, sequences.mask)


@torch.no_grad()
def own_inputs(
    generator: Generator, sequences: Sequences, share: float, draws: Tensor, choices: Tensor
) -> Sequences:
    """Real sequences with a share of their tokens replaced by the model's own.

    Token by token: the model draws its next token after what it was given so far, and is given
    that token, or the real one (scheduled sampling, Bengio et al. 2015). No gradient goes through
    the draws.

    Args:
        generator: the model; dropout is as its mode says.
        sequences: [B, T].
        share: probability that a token is the model's own.
        draws: uniform numbers [B, T], for the model's tokens.
        choices: uniform numbers [B, T], for which token is given.
    """
    state = generator.initial_state(len(sequences), sequences.condition)
    last = torch.full_like(sequences.lengths, generator.bos_id)
    draws = draws.double().clamp(1e-12, 1 - 1e-12)
    chosen = (choices < share).to(sequences.device)
    columns = []
    for t, real in enumerate(sequences.tokens.unbind(1)):
        own, state = generator.sample_next(last, state, draws[:, t], _PLAIN)
        last = torch.where(chosen[:, t], own, real)
        columns.append(last)
    tokens = torch.where(sequences.mask, torch.stack(columns, 1), sequences.tokens)
    return Sequences(tokens, sequences.lengths, sequences.terminated, sequences.condition)


@dataclass(frozen=True)
class RealBatch:
    """Training sequences, and the rows of them that this process works on."""

    whole: Sequences
    part: Part


def real_batch(
    train: Sequences, count: int, rng: torch.Generator, processes: Processes
) -> RealBatch:
    """`count` training sequences, drawn with replacement."""
    rows = torch.randint(len(train), (count,), generator=rng)
    return RealBatch(train.select(rows.to(train.device)), processes.part(count))


def mle_term(policy: Policy, real: RealBatch, per: str = "token") -> Tensor:
    """The share of this process in the NLL of real sequences, in nats per token or sequence.

    `mle_weight` is its factor in the updates of the rounds, whatever the algorithm. The mode of the
    policy decides on dropout; the updates switch it off.
    """
    mine = real.whole.select(real.part.rows).trim(wait=False)
    nll = nll_loss(policy(mine).log_prob, mine.mask)
    if isinstance(policy, Generator):  # a policy of the user's own has nothing more
        nll = _with_own(nll, policy, mine)
    share = real.part.of_tokens(nll, real.whole.mask)
    return share if per == "token" else share * tokens_per_sequence(real.whole)


def tokens_per_sequence(sequences: Sequences) -> Tensor:
    """Mean length: the factor from a mean over tokens to a mean over sequences of sums."""
    return sequences.mask.sum() / len(sequences)
