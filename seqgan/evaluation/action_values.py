"""Action values of every token of a few samples, by the discriminator.

The action value of a token is the log-odds of being real (log P(real) - log P(generated)) that the
complete sequence has on average when the policy goes on after the token. It is what the policy
gradient follows, so it shows which tokens the adversarial rounds discourage.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rollout import Policy, Sequences, action_values

from ..data.codec import Codec
from ..models.discriminators.base import sequence_log_odds
from ..seeding import rng_for

__all__ = ["token_values"]


def token_values(
    policy: Policy,
    discriminator: nn.Module,
    samples: Sequences,
    real: Sequences,
    codec: Codec,
    seed: int,
    *,
    sentences: int = 6,
    rollouts: int = 16,
) -> dict[str, Any]:
    """The action values of the tokens of the first samples, as JSON has them.

    Args:
        policy: goes on after each token.
        discriminator: whose log-odds are the reward.
        samples: sequences of the policy.
        real: real sequences, for comparison.
        codec: ids back to token strings.
        seed: of the rollouts.
        sentences: how many of the samples are worked on.
        rollouts: completions of every prefix.

    Returns:
        ``rollouts``; ``mean`` and ``real_mean``, the log-odds of all `samples` and of `real` on
        average, and their standard errors ``mean_error`` and ``real_mean_error``; ``sentences``,
        each with its ``tokens`` (EOS left out), the ``values`` of those, their standard
        ``errors``, and ``whole``, the log-odds of the sequence as it stands.
    """
    reward = sequence_log_odds(discriminator)
    chosen = samples.select(slice(0, sentences)).trim()

    def squared(sequences: Sequences) -> Tensor:
        return reward(sequences) ** 2

    values, squares = (
        action_values(
            policy, chosen, judge, rollouts, rng=rng_for(seed, "token-values"), stratified=True
        ).cpu()
        for judge in (reward, squared)  # of the same completions
    )
    # Stratified completions know the mean a little better than independent ones would.
    errors = ((squares - values**2).clamp(min=0) / max(1, rollouts - 1)).sqrt()
    found = []
    for tokens, row, spread, length in zip(
        codec.tokens(chosen), values.tolist(), errors.tolist(), chosen.lengths.tolist(),
        strict=True,
    ):  # fmt: skip
        found.append(
            {
                "tokens": [str(token) for token in tokens],
                "values": [round(value, 5) for value in row[: len(tokens)]],
                "errors": [round(error, 5) for error in spread[: len(tokens)]],
                "whole": round(row[length - 1], 5),
            }
        )
    averages = {}
    for name, batch in (("mean", samples), ("real_mean", real.to(samples.device))):
        judged = reward(batch).cpu().double()
        averages[name] = round(float(judged.mean()), 5)
        error = judged.std(correction=0) / len(batch) ** 0.5
        averages[f"{name}_error"] = round(float(error), 5)
    return {"rollouts": rollouts, **averages, "sentences": found}
