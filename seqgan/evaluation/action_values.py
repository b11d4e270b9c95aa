"""What the discriminator makes of every token of a few samples.

The action value of a token is the log-odds of being real (log P(real) - log P(generated)) that the
complete sequence has on average when the policy goes on after the token. It is what the policy
gradient follows, so it shows which tokens the adversarial rounds discourage.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from rollout import DiscriminatorReward, Policy, Sequences, action_values

from ..data.sources import Decoder
from ..seeding import rng_for

__all__ = ["token_values"]


def token_values(
    policy: Policy,
    discriminator: nn.Module,
    samples: Sequences,
    real: Sequences,
    decoder: Decoder,
    seed: int,
    *,
    sentences: int = 6,
    rollouts: int = 16,
) -> dict[str, Any]:
    """The action values of the tokens of the first samples, as JSON has them.

    Args:
        policy: goes on after each token.
        discriminator: module with ``forward(sequences) -> logits [B]``, positive for real.
        samples: sequences of the policy.
        real: real sequences, for comparison.
        decoder: ids back to token strings.
        seed: of the rollouts.
        sentences: how many of the samples are worked on.
        rollouts: completions of every prefix.

    Returns:
        ``rollouts``; ``mean`` and ``real_mean``, the log-odds of all `samples` and of `real` on
        average; ``sentences``, each with its ``tokens`` (EOS left out), the ``values`` of those,
        and ``whole``, the log-odds of the sequence as it stands.
    """
    reward = DiscriminatorReward(discriminator, "log_odds")
    chosen = samples.select(slice(0, sentences)).trim()
    rng = rng_for(seed, "token-values")
    values = action_values(policy, chosen, reward, rollouts, rng=rng, stratified=True).cpu()
    found = []
    for tokens, row, length in zip(
        decoder.tokens(chosen), values.tolist(), chosen.lengths.tolist(), strict=True
    ):
        found.append(
            {
                "tokens": [str(token) for token in tokens],
                "values": [round(value, 5) for value in row[: len(tokens)]],
                "whole": round(row[length - 1], 5),
            }
        )
    return {
        "rollouts": rollouts,
        "mean": round(float(reward(samples).mean()), 5),
        "real_mean": round(float(reward(real.to(samples.device)).mean()), 5),
        "sentences": found,
    }
