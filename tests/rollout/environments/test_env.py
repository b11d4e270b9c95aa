"""The gymnasium environments against the checker, by hand, and the batched against the single."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import seqgan  # noqa: F401 - registers the environments
from rollout import (
    ConstantReward,
    DiscriminatorReward,
    MixtureReward,
    ObjectiveReward,
    RandomReward,
    Sequences,
)
from rollout.environments.env import TokenGenerationEnv
from rollout.environments.token_task import IllegalTokenError
from rollout.environments.vector_env import TokenGenerationVectorEnv

from ..chains import count_of

ID = "seqgan/TokenGeneration-v0"
MODES = list(AutoresetMode)


class TokenValues:
    """Judges every token: its id, that of EOS doubled if the sequence ended with it."""

    per_token = True

    def __call__(self, sequences: Sequences) -> torch.Tensor:
        last = (sequences.lengths - 1)[:, None] == torch.arange(sequences.tokens.shape[1])
        return sequences.tokens.float() * (1.0 + (last & sequences.terminated[:, None]))


class Judge(torch.nn.Module):
    """A discriminator whose logit is the sum of a number for each token."""

    def __init__(self, per_token: bool = False):
        super().__init__()
        self.per_token = per_token
        self.register_buffer("logits", torch.linspace(-1.0, 1.0, 6))
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, sequences: Sequences) -> torch.Tensor:
        values = self.dropout(self.logits[sequences.tokens]) * sequences.mask
        return values if self.per_token else values.sum(1)


def of_condition(sequences: Sequences) -> torch.Tensor:
    """How many tokens are the one that the condition asks for."""
    return ((sequences.tokens == sequences.condition[:, None]) & sequences.mask).sum(1).float()


def plain(value):
    """Observations and infos as plain Python data."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [plain(part) for part in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def same(a, b, where: str = "") -> None:
    """Asserts that two pieces of observations or infos are equal, dtypes and shapes too."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, np.ndarray) and a.dtype == object:
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        np.testing.assert_array_equal(a, b, err_msg=where)
    else:
        assert a == b, where


SETTINGS = {
    "plain": {"reward": count_of(3)},
    "eos": {"reward": count_of(3), "eos_id": 1},
    "paid for tokens": {"reward": TokenValues(), "eos_id": 1},
    "a mixture": {"reward": MixtureReward([(2.0, TokenValues()), (1.0, count_of(3))]), "eos_id": 0},
    "ids outside": {"reward": RandomReward(), "eos_id": 1, "bos_id": 6, "pad_id": 7},
    "conditions": {"reward": of_condition, "eos_id": 1, "condition": torch.tensor([2, 3, 4])},
    "one condition": {"reward": of_condition, "condition": torch.tensor([2])},
    "terminates": {"reward": count_of(3), "eos_id": 1, "limit_terminates": True},
    "length 2": {"reward": count_of(3), "eos_id": 1, "max_length": 2},
}
SETTINGS = {name: {"vocab_size": 6, "max_length": 5, **each} for name, each in SETTINGS.items()}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_the_checker_has_nothing_to_say(settings):
    env = gymnasium.make(ID, render_mode="ansi", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
        env.reset(seed=0)  # and the passive checks of gymnasium.make
        env.step(0)


def test_an_episode_number_by_number():
    env = gymnasium.make(
        ID, reward=count_of(3), vocab_size=5, max_length=4, eos_id=1, bos_id=0, pad_id=2,
        forbidden=[0, 2], render_mode="ansi",
    )  # fmt: skip
    observation, info = env.reset(seed=1)
    mask = {"action_mask": [0, 1, 0, 1, 1]}
    assert plain(observation) == {"last_token": 0, "position": 0, "tokens": [2, 2, 2, 2]}
    assert plain(info) == mask and info["action_mask"].dtype == np.int8
    assert env.render() == ""
    for action, tokens in ((3, [3, 2, 2, 2]), (4, [3, 4, 2, 2]), (3, [3, 4, 3, 2])):
        observation, reward, terminated, truncated, info = env.step(action)
        assert plain(observation)["tokens"] == tokens
        assert (reward, terminated, truncated) == (0.0, False, False)
    assert env.render() == "3 4 3"
    observation, reward, terminated, truncated, info = env.step(1)
    assert plain(observation) == {"last_token": 1, "position": 4, "tokens": [3, 4, 3, 1]}
    # EOS is the last token that fits: the sequence ended, nothing cut it.
    assert (reward, terminated, truncated) == (2.0, True, False)
    assert plain(info) == mask and env.render() == "3 4 3"


@pytest.mark.parametrize(
    ("settings", "actions", "ends"),
    [
        ({"eos_id": 1}, [1], (True, False)),
        ({"eos_id": 1}, [0, 3, 1], (True, False)),
        ({"eos_id": 1}, [0, 3, 3], (False, True)),
        ({}, [1, 1, 1], (False, True)),
        ({"limit_terminates": True}, [1, 1, 1], (True, False)),
        ({"limit_terminates": True, "eos_id": 1}, [0, 0, 1], (True, False)),
    ],
)
def test_eos_terminates_and_the_length_limit_truncates(settings, actions, ends):
    seen = []

    def reward(sequences):
        seen.append((sequences.to_lists(), sequences.terminated.tolist()))
        return torch.tensor([7.0])

    env = TokenGenerationEnv(reward, 4, 3, **settings)
    env.reset()
    for action in actions[:-1]:
        assert env.step(action)[1:4] == (0.0, False, False)
    assert env.step(actions[-1])[1:4] == (7.0, *ends)
    # What the reward is told is whether EOS was emitted, whatever the limit is called.
    assert seen == [([actions], [actions[-1] == settings.get("eos_id")])]
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
        env.step(0)


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        (ConstantReward(0.25), 0.25),
        (count_of(4), 2.0),
        (lambda s: s.lengths.double(), 3.0),
        (ObjectiveReward(lambda rows: [float(sum(row)) for row in rows]), 9.0),
        (DiscriminatorReward(Judge(), "log_odds"), 0.6 + 0.6 - 0.6),
        (DiscriminatorReward(Judge(), "probability"), 1 / (1 + np.exp(-0.6))),
        (DiscriminatorReward(Judge(per_token=True), "log_odds"), 0.6 + 0.6 - 0.6),
        (TokenValues(), 10.0),
        (MixtureReward([(1.0, TokenValues()), (0.5, count_of(4))]), 11.0),
        (MixtureReward([(2.0, ConstantReward()), (0.5, count_of(4))]), 3.0),
    ],
)
def test_rewards_of_every_kind(reward, expected):
    env = TokenGenerationEnv(reward, 6, 5, eos_id=1)
    vector = TokenGenerationVectorEnv(reward, 6, 5, eos_id=1, num_envs=2)
    env.reset(), vector.reset()
    for action in (4, 4, 1):
        paid, both = env.step(action)[1], vector.step(np.full(2, action))[1]
    assert paid == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(both, [paid, paid], rtol=1e-6)


def test_the_values_of_tokens_come_with_the_end():
    env = TokenGenerationEnv(TokenValues(), 6, 5, eos_id=1)
    env.reset()
    assert "token_rewards" not in env.step(4)[4]
    *_, info = env.step(1)
    assert plain(info["token_rewards"]) == [4.0, 2.0, 0.0, 0.0, 0.0]


def test_all_sequences_that_end_together_are_one_call():
    calls = []

    def reward(sequences):
        calls.append(sequences.to_lists())
        return sequences.lengths.float()

    env = TokenGenerationVectorEnv(reward, 5, 3, eos_id=1, num_envs=4)
    env.reset(seed=0)
    for actions in ([2, 1, 3, 1], [4, 0, 1, 0], [4, 2, 0, 1]):
        env.step(np.array(actions))
    # The second step begins two sequences anew; of the third one goes on and one is new.
    assert calls == [[[1], [1]], [[3, 1]], [[2, 4, 4], [1]]]


@pytest.mark.parametrize("mode", MODES, ids=[mode.value for mode in MODES])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_the_batch_is_so_many_single_environments(settings, mode):
    n = 5
    single = SyncVectorEnv(
        [lambda: gymnasium.make(ID, render_mode="ansi", **settings) for _ in range(n)],
        autoreset_mode=mode,
    )
    batch = gymnasium.make_vec(
        ID, num_envs=n, vectorization_mode="vector_entry_point", autoreset_mode=mode,
        render_mode="ansi", **settings,
    )  # fmt: skip
    assert batch.metadata == single.metadata and batch.spec is not None
    assert batch.observation_space == single.observation_space
    assert batch.action_space == single.action_space
    rng = np.random.default_rng(0)
    found, expected = batch.reset(seed=7), single.reset(seed=7)
    same(found[1], expected[1])
    for t in range(40):
        same(found[0], expected[0], f"observation {t}")
        assert found[0] in batch.observation_space and batch.render() == single.render()
        actions = rng.integers(0, settings["vocab_size"], n)
        found, expected = batch.step(actions), single.step(actions)
        for name, a, b in zip(
            ("obs", "reward", "end", "cut", "info"), found, expected, strict=True
        ):
            same(a, b, f"{name} {t}")
        over = found[2] | found[3]
        if mode is AutoresetMode.DISABLED and over.any():
            again = [{"reset_mask": over.copy()} for _ in range(2)]
            found, expected = batch.reset(options=again[0]), single.reset(options=again[1])
            same(found[1], expected[1], f"reset {t}")
    with pytest.raises(IllegalTokenError):
        batch.reset(), batch.step(np.full(n, settings["vocab_size"]))


def test_seeds_and_options_choose_the_condition():
    settings = {**SETTINGS["conditions"], "condition": torch.arange(50)}
    env = TokenGenerationEnv(**settings)

    def drawn(**reset):
        return [int(env.reset(**(reset if i == 0 else {}))[0]["condition"]) for i in range(20)]

    first = drawn(seed=3)
    assert len(set(first)) > 5 and drawn(seed=3) == first and drawn(seed=4) != first
    env.reset(options={"condition": 4})
    for action in (4, 4, 0, 4, 0):
        paid = env.step(action)[1]
    assert paid == 3.0
    batch = TokenGenerationVectorEnv(num_envs=3, **settings)
    assert batch.reset(options={"condition": 4})[0]["condition"].tolist() == [4, 4, 4]
    seeded = batch.reset(seed=[3, None, 3])[0]["condition"]
    assert seeded[0] == seeded[2] == first[0]
    for wrong in (50, -1, "x"):
        with pytest.raises(ValueError, match="options\\['condition'\\]"):
            env.reset(options={"condition": wrong})


def test_forbidden_tokens_are_masked_and_refused():
    settings = {"vocab_size": 5, "max_length": 3, "forbidden": [0, 2], "reward": ConstantReward()}
    env, batch = TokenGenerationEnv(**settings), TokenGenerationVectorEnv(num_envs=2, **settings)
    _, info = env.reset(seed=0)
    env.action_space.seed(0)
    sampled = {int(env.action_space.sample(info["action_mask"])) for _ in range(50)}
    assert sampled == {1, 3, 4}
    assert env.action_masks().tolist() == [False, True, False, True, True]
    info["action_mask"][:] = 1  # the caller's own copy
    message = "action 2 is forbidden \\(as are 0, 2\\).*action_mask"
    with pytest.raises(IllegalTokenError, match=message):
        env.step(2)
    for action in (5, -1, 1.0, "a", None, np.array([1, 1])):
        with pytest.raises(IllegalTokenError):
            env.step(action)
    assert env.step(np.array(3))[0]["position"] == 1, "a refused action emits nothing"
    _, infos = batch.reset(seed=0)
    assert infos["action_mask"].tolist() == [[0, 1, 0, 1, 1]] * 2
    with pytest.raises(IllegalTokenError, match="environment 1: " + message):
        batch.step(np.array([1, 2]))
    for actions in ([1], [1, 1, 1], [1.0, 1.0], [[1, 1]], [1, 9]):
        with pytest.raises(IllegalTokenError):
            batch.step(np.array(actions))
    assert batch.step([1, 4])[0]["position"].tolist() == [1, 1]
    assert issubclass(IllegalTokenError, (ValueError,))
    assert issubclass(IllegalTokenError, gymnasium.error.InvalidAction)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reward": None}, "^reward must be a callable"),
        ({"reward": 1.0}, "^reward must be a callable"),
        ({"vocab_size": 1}, "^vocab_size must be an integer of at least 2, got 1"),
        ({"vocab_size": 0}, "^vocab_size"),
        ({"vocab_size": 5.0}, "^vocab_size must be an integer, got 5.0"),
        ({"vocab_size": True}, "^vocab_size"),
        ({"max_length": 0}, "^max_length must be an integer of at least 1, got 0"),
        ({"max_length": -3}, "^max_length"),
        ({"max_length": "7"}, "^max_length"),
        ({"eos_id": 5}, "^eos_id must be below vocab_size = 5, got 5"),
        ({"eos_id": -1}, "^eos_id"),
        ({"bos_id": -1}, "^bos_id"),
        ({"pad_id": -1}, "^pad_id"),
        ({"forbidden": [5]}, "^forbidden must be below vocab_size = 5"),
        ({"forbidden": range(5)}, "^forbidden leaves none of the 5 token ids"),
        ({"forbidden": [1], "eos_id": 1}, "^forbidden holds eos_id = 1"),
        ({"decode": "text"}, "^decode must be a callable"),
        ({"condition": 3}, "^condition must be a pytree of tensors"),
        ({"condition": torch.zeros(0, 2)}, "^condition"),
        ({"condition": [torch.zeros(2), torch.zeros(3)]}, "^condition"),
    ],
)
def test_arguments_that_make_no_sense_are_named(changed, message):
    settings = {"reward": count_of(3), "vocab_size": 5, "max_length": 4} | changed
    with pytest.raises(ValueError, match=message):
        gymnasium.make(ID, **settings)
    with pytest.raises(ValueError, match=message):
        gymnasium.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", **settings)


def test_arguments_of_the_environments_themselves():
    settings = {"reward": count_of(3), "vocab_size": 5, "max_length": 4}
    with pytest.raises(
        ValueError, match="^render_mode must be None, 'ansi' or 'rgb_array', got 'x'"
    ):
        TokenGenerationEnv(render_mode="x", **settings)
    with pytest.raises(ValueError, match="^num_envs"):
        TokenGenerationVectorEnv(num_envs=0, **settings)
    with pytest.raises(ValueError, match="^autoreset_mode must be one of NextStep, SameStep"):
        TokenGenerationVectorEnv(autoreset_mode="never", **settings)
    with pytest.raises(TypeError, match="eos"):
        gymnasium.make(ID, eos=1, **settings)
    with pytest.raises(TypeError, match="reward"):
        gymnasium.make(ID, vocab_size=5, max_length=4)
    batch = TokenGenerationVectorEnv(num_envs=2, autoreset_mode="Disabled", **settings)
    with pytest.raises(gymnasium.error.ResetNeeded):
        batch.step(np.zeros(2, dtype=int))
    for mask in ([True, False], np.ones(3, dtype=bool), np.ones(2)):
        with pytest.raises(ValueError, match="reset_mask"):
            batch.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="^seed must hold 2 seeds, got 1"):
        batch.reset(seed=[1])
    batch.reset()
    for _ in range(4):
        batch.step(np.zeros(2, dtype=int))
    with pytest.raises(gymnasium.error.ResetNeeded):
        batch.step(np.zeros(2, dtype=int))


def test_a_reward_of_the_wrong_shape_says_so():
    env = TokenGenerationEnv(lambda s: s.tokens.float(), 5, 1)
    env.reset()
    with pytest.raises(ValueError, match="a reward must return a tensor of shape \\[1\\]"):
        env.step(2)


def test_render_shows_decoded_text():
    words = ["<s>", "</s>", "a", "cat", "sat"]
    settings = {"reward": ConstantReward(), "vocab_size": 5, "max_length": 4, "eos_id": 1}
    settings["decode"] = lambda ids: " ".join(words[i] for i in ids)
    env = gymnasium.make(ID, render_mode="ansi", **settings)
    env.reset()
    for action in (2, 3, 1):
        env.step(action)
    assert env.render() == "a cat"
    batch = TokenGenerationVectorEnv(num_envs=2, render_mode="ansi", **settings)
    batch.reset()
    batch.step([4, 1])
    assert batch.render() == ("sat", "")
    for silent in (TokenGenerationEnv(**settings), TokenGenerationVectorEnv(**settings)):
        with pytest.warns(UserWarning, match="render_mode='ansi' or render_mode='rgb_array'"):
            assert silent.render() is None


def test_render_draws_the_text_in_a_picture_of_one_size():
    shown = {0: "", 1: "a", 2: "a a", 3: "W" * 5_000}
    settings = {"reward": ConstantReward(), "vocab_size": 5, "max_length": 4}
    settings["decode"] = lambda ids: shown[len(ids)]
    env = gymnasium.make(ID, render_mode="rgb_array", **settings)
    batch = TokenGenerationVectorEnv(num_envs=2, render_mode="rgb_array", **settings)
    env.reset(), batch.reset()
    dark = []
    for _ in range(4):
        picture = env.render()
        assert picture.shape == (160, 640, 3) and picture.dtype == np.uint8
        for one in batch.render():
            np.testing.assert_array_equal(one, picture)
        dark.append(int((picture[..., 0] < 128).sum()))
        if len(dark) < 4:
            env.step(2), batch.step([2, 2])
    # Nothing, one letter, the same letter twice, and more than a picture holds, which stays inside.
    assert dark[0] == 0 and 0 < dark[1] and dark[2] == pytest.approx(2 * dark[1], abs=4)
    assert dark[3] > 100 * dark[1] and (picture[:8] == 255).all() and (picture[:, -8:] == 255).all()
    check_env(env.unwrapped)


@pytest.mark.parametrize("mode", [None, "ansi", "rgb_array", "rgb_array_list"])
def test_gymnasium_makes_it_in_every_mode_that_it_has(mode):
    settings = {"reward": ConstantReward(), "vocab_size": 5, "max_length": 4}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(ID, render_mode=mode, **settings)
        env.reset(seed=0)
        env.step(3)
        kinds = {None: type(None), "ansi": str, "rgb_array": np.ndarray, "rgb_array_list": list}
        if mode is not None:  # without one, render() warns, which is an error here
            assert isinstance(env.render(), kinds[mode])


def test_processes_of_their_own():
    batch = gymnasium.make_vec(
        ID, num_envs=2, vectorization_mode="async", reward=count_of(3), vocab_size=5, max_length=2
    )
    try:
        batch.reset(seed=0)
        batch.step(np.array([3, 3]))
        assert batch.step(np.array([3, 0]))[1].tolist() == [2.0, 1.0]
    finally:
        batch.close()


@pytest.mark.parametrize(
    "imports",
    [
        "import seqgan; before = 'gymnasium' in sys.modules; import gymnasium; assert not before",
        "import gymnasium, seqgan",
        "import seqgan, gymnasium.envs.registration",
        "import importlib.util as u, seqgan; assert u.find_spec('gymnasium'); import gymnasium",
    ],
)
def test_registered_by_importing_seqgan_in_any_order(imports):
    code = (
        f"import sys; {imports}; import gymnasium; assert {ID!r} in gymnasium.registry; "
        "print('torch' in sys.modules, sum('AfterGymnasium' in repr(f) for f in sys.meta_path))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "0"] and not done.stderr
