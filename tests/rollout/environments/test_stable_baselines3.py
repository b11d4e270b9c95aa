"""The environment with stable-baselines3 and sb3-contrib, as their own helpers make it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import seqgan  # noqa: F401 - registers the environment
from rollout.environments.env import TokenGenerationEnv

from ..chains import count_of

sb3 = pytest.importorskip("stable_baselines3", reason="stable-baselines3 (extra [rl]) is missing")

ID = "seqgan/TokenGeneration-v0"
SETTINGS = {
    "reward": count_of(3), "vocab_size": 5, "max_length": 4, "eos_id": 1, "limit_terminates": True,
}  # fmt: skip


def made(vec_env_cls=None, env_id=ID, **settings):
    from stable_baselines3.common.env_util import make_vec_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return make_vec_env(
            env_id, n_envs=2, seed=0, vec_env_cls=vec_env_cls, env_kwargs={**SETTINGS, **settings}
        )


def episode(env):
    """Plays 3, 3, EOS in both: rewards, ends, and what Monitor says of the episode."""
    env.reset()
    for _ in range(2):
        _, rewards, ends, infos = env.step(np.array([3, 3]))
        assert rewards.tolist() == [0.0, 0.0] and not ends.any()
    _, rewards, ends, infos = env.step(np.array([1, 1]))
    assert rewards.tolist() == [2.0, 2.0] and ends.all()
    assert [(info["episode"]["r"], info["episode"]["l"]) for info in infos] == [(2.0, 3)] * 2


@pytest.mark.parametrize("mode", ["default", None, "ansi", "rgb_array"])
def test_make_vec_env(mode):
    env = made(**({} if mode == "default" else {"render_mode": mode}))
    episode(env)
    if mode in ("default", "rgb_array"):
        env.reset()
        assert env.render().shape == (320, 640, 3)  # both pictures, one above the other
    episode(made(env_id=TokenGenerationEnv))


@pytest.mark.timeout(120)
def test_in_processes_of_their_own():
    from stable_baselines3.common.vec_env import SubprocVecEnv

    env = made(
        SubprocVecEnv, f"seqgan:{ID}"
    )  # a fresh process imports what stands before the colon
    try:
        episode(env)
        env.reset()
        assert env.render().shape == (320, 640, 3)
    finally:
        env.close()


def test_its_checker_and_an_agent():
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(TokenGenerationEnv(**SETTINGS))
    PPO("MultiInputPolicy", made(), n_steps=16, batch_size=32, n_epochs=1).learn(32)


def test_an_agent_that_asks_for_the_legal_actions():
    contrib = pytest.importorskip("sb3_contrib", reason="sb3-contrib (extra [rl]) is missing")
    env = made(forbidden=[0, 2])
    agent = contrib.MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=32, n_epochs=1)
    agent.learn(32)  # a forbidden action would raise
