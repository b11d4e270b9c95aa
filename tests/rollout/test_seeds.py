"""Seeds count with all their 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rollout import PolicyAgent, RandomReward, action_values, generate
from rollout.environments.env import TokenGenerationEnv
from rollout.environments.vector_env import TokenGenerationVectorEnv
from rollout.randomness import UniformStream, seed_everything, seeded_generator

from .chains import Chain, count_of

PAIRS = [(7, 7 + 2**32), (7, 7 + 2**63), (2**40 + 1, 2**41 + 1), (0, -(2**32))]


def plain(seed: int) -> torch.Generator:
    """A generator as a caller of torch makes it."""
    return torch.Generator().manual_seed(seed)


def a_uniform(seed):
    stream = UniformStream(plain(seed), "cpu")
    return stream.uniforms(stream.rows(torch.arange(50)), 0)


def a_default_uniform(seed):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    stream = UniformStream(None, "cpu")
    torch.set_rng_state(state)
    return stream.uniforms(stream.rows(torch.arange(50)), 0)


def the_global_generator(seed):
    with torch.random.fork_rng():
        seed_everything(seed)
        return torch.rand(50)


def a_batch(seed):
    return generate(Chain.random(6, 7), 20, rng=plain(seed)).tokens


def values(seed):
    batch = generate(Chain.random(6, 7), 20, rng=plain(0))
    return action_values(Chain.random(6, 7), batch, count_of(3), 4, rng=plain(seed))


def an_episode(seed):
    env = TokenGenerationVectorEnv(count_of(3), 6, 40, num_envs=3)
    agent = PolicyAgent(Chain.random(6, 40), rng=plain(seed))
    observation, _ = env.reset(seed=0)
    for _ in range(39):
        observation, *_ = env.step(agent.act(observation))
    return torch.from_numpy(observation["tokens"])


def conditions(seed):
    env = TokenGenerationEnv(count_of(3), 6, 3, condition=torch.arange(1_000_000))
    return torch.tensor([int(env.reset(seed=seed)[0]["condition"])])


DRAWS = {
    "seeded_generator": lambda seed: torch.rand(50, generator=seeded_generator(seed)),
    "randperm": lambda seed: torch.randperm(500, generator=seeded_generator(seed)),
    "seed_everything": the_global_generator,
    "UniformStream": a_uniform,
    "the default generator": a_default_uniform,
    "RandomReward": lambda seed: RandomReward(seed)(generate(Chain.random(6, 7), 20, rng=plain(0))),
    "generate": a_batch,
    "action_values": values,
    "PolicyAgent": an_episode,
}


@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("what", DRAWS)
def test_seeds_that_differ_above_32_bits_differ(what, pair):
    first, second = (DRAWS[what](seed) for seed in pair)
    assert not torch.equal(first, second)
    assert torch.equal(first, DRAWS[what](pair[0]))


def test_conditions_of_environments_too():
    first, second = conditions(7), conditions(7 + 2**32)
    assert first != second and first == conditions(7)


def test_small_seeds_are_torchs_own():
    for seed in (0, 7, 2**32 - 1):
        assert torch.equal(seeded_generator(seed).get_state(), plain(seed).get_state())
    stream = UniformStream(plain(7), "cpu")
    key = torch.randint(-(1 << 63), (1 << 63) - 1, (1,), generator=plain(7))
    assert stream.rows().tolist() == key.tolist()


def test_large_seeds_give_numpys_stream():
    """This holds the layout of torch's state: its words are the twister's."""
    seed = 7 + 2**40
    rng, twister = seeded_generator(seed), np.random.MT19937(seed)
    twister.random_raw(1)  # numpy begins with the last word of the state
    drawn = torch.randint(1 << 20, (2_000,), generator=rng)
    assert drawn.tolist() == (twister.random_raw(2_000) % (1 << 20)).tolist()
    assert rng.initial_seed() == seed


def test_a_state_that_is_restored_goes_on():
    rng = seeded_generator(2**50)
    torch.rand(1_000, generator=rng)
    again = torch.Generator()
    again.set_state(rng.get_state())
    numbers = [
        UniformStream(each, "cpu").uniforms(torch.zeros(1, dtype=torch.int64), 0)
        for each in (rng, again)
    ]
    assert again.initial_seed() == 2**50 and torch.equal(*numbers)


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_of_more_bits_are_refused(seed):
    with pytest.raises(ValueError, match=r"a seed must lie in \[-2\^63, 2\^64\)"):
        RandomReward(seed)
