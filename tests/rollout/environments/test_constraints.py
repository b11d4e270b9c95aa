"""Constraints, penalties and dense rewards of the environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rollout.environments.env import TokenGenerationEnv
from rollout.environments.token_task import IllegalTokenError
from rollout.environments.vector_env import TokenGenerationVectorEnv


def total(sequences):
    return (sequences.tokens * sequences.mask).sum(1).float()


def rising(prefixes):
    """No token may be smaller than the one before it; 1 ends, at any time."""
    return [[token == 1 or not row or token >= row[-1] for token in range(5)] for row in prefixes]


def potential(prefixes):
    """Half of what the prefix adds up to, on top of 1."""
    return 1.0 + 0.5 * total(prefixes)


def environment(**settings):
    return TokenGenerationEnv(total, 5, 4, eos_id=1, forbidden=[0], **settings)


def test_the_mask_is_what_may_follow_the_prefix():
    env = environment(constraint=rising)
    _, info = env.reset()
    assert info["action_mask"].tolist() == [0, 1, 1, 1, 1]
    info = env.step(3)[4]
    assert info["action_mask"].tolist() == [0, 1, 0, 1, 1] == env.action_masks().tolist()
    with pytest.raises(IllegalTokenError, match="action 2 is forbidden"):
        env.step(2)
    assert env.step(4)[1:4] == (0.0, False, False)
    assert env.step(1)[1:4] == (3.0 + 4.0 + 1.0, True, False)
    with pytest.raises(ValueError, match=r"leave no token after \[\]"):
        environment(constraint=lambda rows: [[i == 0 for i in range(5)] for _ in rows]).reset()


def test_what_has_not_changed_is_not_asked_about_again():
    asked = []

    def counted(prefixes):
        asked.append(prefixes.to_lists())
        return potential(prefixes)

    batch = TokenGenerationVectorEnv(
        total, 5, 4, num_envs=3, eos_id=1, potential=counted, constraint=rising,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )  # fmt: skip
    batch.reset()
    asked.clear()
    _, rewards, _, _, info = batch.step(np.array([3, 1, 2]))
    assert asked == [[[3], [2]], [[]]]  # those that go on, then the one that begins
    assert info["action_mask"].tolist() == [[0, 1, 0, 1, 1], [1] * 5, [0, 1, 1, 1, 1]]
    assert rewards.tolist() == [1.5, 0.0, 1.0]
    assert batch.step(np.array([1, 4, 1]))[1].tolist() == [1.5, 2.0, 1.0]


def test_a_penalty_in_the_place_of_an_error():
    env = environment(penalty=-2.5)
    env.reset()
    env.step(3)
    observation, reward, terminated, truncated, _ = env.step(0)
    assert (reward, terminated, truncated) == (-2.5, True, False)
    assert observation["position"] == 1  # nothing was emitted
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(2)
    with pytest.raises(IllegalTokenError):  # no token id at all
        env.reset()
        env.step(7)


def test_dense_rewards_add_up_to_the_same_return():
    env, plain = environment(potential=potential), environment()
    env.reset()
    plain.reset()
    paid = [env.step(token)[1] for token in (3, 2, 4, 1)]
    assert paid == [1.5, 1.0, 2.0, 10.0 - 5.5]  # phi rises from 1 by half of each token
    assert sum(paid) == sum(plain.step(token)[1] for token in (3, 2, 4, 1)) - 1.0


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_the_batched_one_says_the_same(mode):
    settings = {"constraint": rising, "penalty": -1.0, "potential": potential}
    ours = TokenGenerationVectorEnv(
        total, 5, 4, num_envs=6, eos_id=1, forbidden=[0], autoreset_mode=mode, **settings
    )
    theirs = SyncVectorEnv(
        [lambda: environment(**settings) for _ in range(6)], autoreset_mode=AutoresetMode(mode)
    )
    rng = np.random.default_rng(0)
    one, other = ours.reset(seed=0), theirs.reset(seed=0)
    fined = 0
    for _ in range(60):
        assert (one[1]["action_mask"] == other[1]["action_mask"]).all()
        for name in one[0]:
            assert (one[0][name] == other[0][name]).all()
        actions = rng.integers(0, 5, 6)
        mine, yours = ours.step(actions), theirs.step(actions)
        for a, b in zip(mine[1:4], yours[1:4], strict=True):
            assert np.allclose(a, b)
        fined += (mine[1] <= -1).sum()
        one, other = (mine[0], mine[4]), (yours[0], yours[4])
    assert fined > 10


def test_the_checker_accepts_them():
    settings = {"penalty": -1.0, "potential": potential, "constraint": rising}
    check_env(environment(**settings), skip_render_check=True)


@pytest.mark.slow
def test_maskable_ppo_learns_under_the_mask_and_plain_ppo_with_the_penalty():
    contrib = pytest.importorskip("sb3_contrib")
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    torch.manual_seed(0)
    returns = {}
    for kind, more in ((contrib.MaskablePPO, {}), (PPO, {"penalty": 0.0})):
        envs = make_vec_env(
            TokenGenerationEnv, n_envs=8,
            env_kwargs={
                "reward": total, "vocab_size": 5, "max_length": 4, "forbidden": [0],
                "limit_terminates": True, "constraint": rising, **more,
            },
        )  # fmt: skip
        model = kind("MultiInputPolicy", envs, n_steps=32, batch_size=64, gamma=1.0, seed=0)
        model.learn(total_timesteps=4096)
        scores = [each["r"] for each in model.ep_info_buffer]
        returns[kind.__name__] = float(np.mean(scores[-50:]))
    assert returns["MaskablePPO"] > 0.9 * 16  # four times token 4
    assert returns["PPO"] > 6


def pairs(prefixes):
    """Length and last token of each prefix, by the arrays that features get."""
    last = prefixes.tokens.gather(1, (prefixes.lengths - 1).clamp(min=0)[:, None])[:, 0]
    return torch.stack([prefixes.lengths, last * (prefixes.lengths > 0)], 1)


@pytest.mark.filterwarnings("ignore:.*infinity.*")
def test_features_are_shown_of_every_prefix():
    check_env(environment(features=pairs, penalty=-1.0), skip_render_check=True)
    env = environment(features=pairs)
    assert env.observation_space["features"].shape == (2,)
    shown = [env.reset()[0]["features"].tolist()]
    shown += [env.step(token)[0]["features"].tolist() for token in (3, 4, 1)]
    assert shown == [[0, 0], [1, 3], [2, 4], [3, 1]]
    batch = TokenGenerationVectorEnv(total, 5, 4, num_envs=2, eos_id=1, features=pairs)
    batch.reset()
    assert batch.step(np.array([3, 1]))[0]["features"].tolist() == [[1, 3], [1, 1]]
    assert batch.step(np.array([2, 4]))[0]["features"].tolist() == [[2, 2], [0, 0]]
    with pytest.raises(ValueError, match=r"\[1, F\], got \[1\]"):
        environment(features=lambda prefixes: prefixes.lengths)


def test_features_of_a_generator_predict_the_next_token():
    from seqgan.config import LSTM
    from seqgan.data.spec import TokenSpec
    from seqgan.models import make_generator, prefix_features

    spec = TokenSpec(vocab_size=5, bos_id=0, eos_id=1, pad_id=0, max_length=4, forbidden=(0,))
    generator = make_generator(LSTM(embedding=4, hidden=6, dropout=0.5), spec, seed=0)
    env = environment(features=prefix_features(generator))
    state, token = generator.eval().initial_state(1), torch.tensor([0])
    seen = env.reset()[0]
    for action in (3, 2, 4):
        logits, state = generator.step(token, state)
        found = generator.head(torch.from_numpy(seen["features"])[None])
        torch.testing.assert_close(found, logits)
        seen, token = env.step(action)[0], torch.tensor([action])
