"""Action values of sampled tokens, against a policy whose values are known."""

from __future__ import annotations

import json

import pytest
from torch import nn

from rollout import generate
from seqgan.data.codec import IdCodec
from seqgan.data.dataset import TokenSpec
from seqgan.evaluation.action_values import token_values
from seqgan.seeding import rng_for

from ...rollout.chains import Chain, count_of, exact_count_values

CODEC = IdCodec(TokenSpec(5, 5, 1, 0, 6, ()))


class Counter(nn.Module):
    """Log-odds: how often token 2 stands in a sequence."""

    def forward(self, sequences):
        return count_of(2)(sequences)


def test_values_of_the_first_samples():
    chain = Chain.random(5, 6, eos_id=1)
    samples = generate(chain, 500, rng=rng_for(0, "samples"))
    real = generate(chain, 300, rng=rng_for(1, "samples"))
    found = token_values(chain, Counter(), samples, real, CODEC, 7, sentences=20, rollouts=800)
    exact = exact_count_values(chain, samples.select(slice(0, 20)), 2)
    assert len(found["sentences"]) == 20 and found["rollouts"] == 800
    for row, sentence, ids in zip(
        exact.tolist(), found["sentences"], samples.to_lists(), strict=False
    ):
        shown = ids[:-1] if ids[-1] == 1 else ids
        assert sentence["tokens"] == [str(i) for i in shown]
        assert sentence["values"] == pytest.approx(row[: len(shown)], abs=0.12)
        assert sentence["whole"] == ids.count(2)  # nothing to estimate
        assert len(sentence["errors"]) == len(shown)
        for value, error, right in zip(
            sentence["values"], sentence["errors"], row[: len(shown)], strict=True
        ):
            assert abs(value - right) <= 5 * error + 1e-5  # where the error is 0, so is the miss
            assert error < 2 / 799**0.5  # a count of 4 tokens at most deviates by 2 at most
    assert found["mean"] == pytest.approx(count_of(2)(samples).mean().item(), abs=1e-5)
    deviation = count_of(2)(samples).double().std(correction=0).item()
    assert found["mean_error"] == pytest.approx(deviation / 500**0.5, abs=1e-5)
    assert found["real_mean"] == pytest.approx(count_of(2)(real).mean().item(), abs=1e-5)


def test_the_seed_fixes_them_and_json_takes_them():
    chain = Chain.random(5, 6, eos_id=1)
    samples = generate(chain, 10, rng=rng_for(0, "samples"))
    first, again, other = (
        token_values(chain, Counter(), samples, samples, CODEC, seed) for seed in (0, 0, 1)
    )
    assert json.dumps(first) == json.dumps(again) != json.dumps(other)
    assert len(first["sentences"]) == 6
