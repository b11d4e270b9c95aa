"""Disks, memory, rewards and loggers that fail: each with a real cause."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from rollout import ObjectiveReward, Policy, RewardError, Sequences, action_values, generate
from rollout.rewards import reward_values
from seqgan import errors
from seqgan.cli.main import main
from seqgan.config import CriticConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.errors import NonFiniteLossError
from seqgan.training.policy_gradient import PolicyGradient
from seqgan.training.rounds import Rounds
from seqgan.training.runtime import Runtime, make_accelerator

from ..rounds import Work, work_of
from ..settings import changed, run_settings
from ..tiny import TINY, without_report
from .test_training import small_discriminator, small_generator

resource = pytest.importorskip("resource", reason="limits of this kind are a thing of POSIX")
ROUNDS = run_settings(
    rounds=4, measure_every=1, batch_size=8, rollouts=2, critic_steps=1, patience=0,
    critic=CriticConfig(batch_size=4),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    without_report(monkeypatch)


def at_step(patch: pytest.MonkeyPatch, step: int, do) -> None:
    """Calls ``do(runtime)`` once, after that many gradient steps."""
    original = Runtime.pause

    def pause(self: Runtime) -> None:
        if self.steps_done == step:
            do(self)
        original(self)

    patch.setattr(Runtime, "pause", pause)


class Limited:
    """A limit of the process (RLIMIT_FSIZE: bytes a file, RLIMIT_AS: bytes of memory)."""

    def __init__(self, what: int, value: int):
        self.what, self.value = what, value
        self.before = resource.getrlimit(what)

    def __enter__(self) -> None:
        resource.setrlimit(self.what, (self.value, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(self.what, self.before)


def test_a_disk_that_is_full_costs_nothing_that_was_written(tmp_path, capsys):
    path = tmp_path / "run"
    arguments = ["run", *TINY, "--checkpoint.every_steps", "1"]
    with pytest.MonkeyPatch.context() as patch:
        limit = Limited(resource.RLIMIT_FSIZE, 20_000)  # a generator takes more
        at_step(patch, 12, lambda runtime: limit.__enter__())
        try:
            assert main([*arguments, "--output_dir", str(path)]) == 2
        finally:
            limit.__exit__()
    error = " ".join(capsys.readouterr().err.split())
    assert f"{path}: the checkpoint cannot be written" in error and "File too large" in error
    assert f"last good checkpoint: {path}/checkpoints/step-00000011" in error
    assert error.endswith(f"resume with: seqgan run --resume {path}")
    assert (path / "checkpoints/latest").read_text() == "step-00000011\n"
    assert not [p for p in path.rglob("*") if p.name.startswith(".")]
    assert main(["run", "--resume", str(path)]) == 0
    assert (path / "results.json").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk(tmp_path, capsys, monkeypatch):
    path = tmp_path / "run"

    def fill(runtime: Runtime) -> None:
        (path / "metrics.jsonl").rename(path / "metrics.before")
        (path / "metrics.jsonl").symlink_to("/dev/full")

    with monkeypatch.context() as patch:
        at_step(patch, 10, fill)
        arguments = ["run", *TINY, "--checkpoint.every_steps", "2", "--output_dir", str(path)]
        assert main(arguments) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "metrics.jsonl cannot be written (No space left on device)" in error
    assert error.endswith(f"resume with: seqgan run --resume {path}")


def test_a_folder_that_takes_no_files(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(["run", *TINY, "--output_dir", str(tmp_path / "file" / "run")]) == 2
    assert "file/run: Not a directory" in capsys.readouterr().err
    path = tmp_path / "run"

    def block(runtime: Runtime) -> None:
        shutil.rmtree(path / "checkpoints", ignore_errors=True)
        (path / "checkpoints").write_text("a file where a folder belongs")

    with monkeypatch.context() as patch:
        at_step(patch, 3, block)
        arguments = ["run", *TINY, "--checkpoint.every_steps", "3", "--output_dir", str(path)]
        assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "the checkpoint cannot be written (File exists)" in error and error.count("\n") == 1


def test_a_logger_that_fails_is_left_out(tmp_path, capsys, monkeypatch):
    path = tmp_path / "run"

    def close(runtime: Runtime) -> None:
        tracker = runtime.accelerator.get_tracker("tensorboard", unwrap=True)
        tracker.file_writer.event_writer.close()

    with monkeypatch.context() as patch:
        at_step(patch, 3, close)
        assert main(["run", *TINY, "--output_dir", str(path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("measurements cannot be tracked (OSError: Writer is closed") == 1
    assert (path / "results.json").is_file()
    assert len((path / "metrics.jsonl").read_text().splitlines()) > 10


# Training by itself, without a folder.


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


def rounds(data, **changes) -> Work:
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    config = changed(ROUNDS, **changes)
    return work_of(small_generator(data), small_discriminator(data), data, config, runtime)


def poisoned(monkeypatch, *steps: int) -> None:
    """The generator's parameters become NaN before these steps."""
    original, count = PolicyGradient.step, [0]

    def step(self: PolicyGradient) -> None:
        count[0] += 1
        if count[0] in steps:
            with torch.no_grad():
                self.policy.head.bias[5] = math.nan
        original(self)

    monkeypatch.setattr(PolicyGradient, "step", step)


def tuned(data, scores: list[float], **changes) -> Rounds:
    following = iter(scores)
    return rounds(data, **changes).play(lambda policy: {"score": next(following)})


def learning_rate(rounds: Rounds) -> float:
    return rounds.generator.learner.optimizer.param_groups[0]["lr"]


def test_nan_in_the_rounds(data, monkeypatch):
    monkeypatch.setattr("seqgan.training.health.troubles", lambda *_: {})
    scores = [3.0, 2.0, 2.5, 1.0, 1.5]
    poisoned(monkeypatch, 3)
    with pytest.raises(NonFiniteLossError, match="adversarial: the loss or its gradient became"):
        tuned(data, scores)
    poisoned(monkeypatch, 3)
    stopped = tuned(data, scores, on_trouble="stop")
    assert stopped.rounds_done == 2 and stopped.best_round == 1 and stopped.stopped
    poisoned(monkeypatch, 3)
    restored = tuned(data, scores, on_trouble="restore")
    assert restored.rounds_done == 4 and restored.times_restored == 1
    assert learning_rate(restored) == ROUNDS.algorithm.optimizer.learning_rate / 2
    for work in (stopped, restored):
        assert all(p.isfinite().all() for p in work.generator.trained.parameters())
    poisoned(monkeypatch, *range(3, 100))
    with pytest.raises(NonFiniteLossError):  # what comes back each time is not mended by this
        tuned(data, scores, on_trouble="restore")


def test_a_model_that_is_not_finite_is_no_checkpoint(tmp_path, capsys, monkeypatch):
    path = tmp_path / "run"

    def poison(runtime: Runtime) -> None:
        with torch.no_grad():
            runtime.saver._lasting["generator"].head.bias[5] = math.nan

    with monkeypatch.context() as patch:
        at_step(patch, 7, poison)
        arguments = ["run", *TINY, "--checkpoint.every_steps", "1", "--output_dir", str(path)]
        assert main(arguments) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "MLE pretraining: the loss or its gradient became nan" in error
    assert f"last good checkpoint: {path}/checkpoints/step-00000006" in error
    assert (path / "checkpoints/latest").read_text() == "step-00000006\n"


class Greedy(Policy):
    """A coin, four times, whose state takes 64 MB a row."""

    vocab_size, bos_id, eos_id, pad_id, max_length = 2, 0, None, 0, 4

    def initial_state(self, batch_size, condition=None):
        return torch.zeros(batch_size, 1)

    def step(self, tokens, state):
        torch.empty(len(tokens), 1 << 24)  # given back at once
        return torch.tensor([0.3, 0.7]).log().expand(len(tokens), 2), state


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory in use is not known")
def test_rollouts_that_need_too_much_memory_go_on_with_less_at_once(data):
    def heads(sequences: Sequences) -> torch.Tensor:
        return sequences.tokens.float().sum(1)

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    sequences = generate(Greedy(), 4, rng=torch.Generator().manual_seed(0))

    def values(**more):
        return action_values(
            Greedy(), sequences, heads, 16, rng=torch.Generator().manual_seed(1), **more
        )

    plain = values()
    sizes: list[int] = []
    room = pages * resource.getpagesize() + (1 << 30) + (1 << 29)
    with Limited(resource.RLIMIT_AS, room):
        found = values(on_smaller_chunks=sizes.append)
        with pytest.warns(RuntimeWarning, match="out of memory in rollouts: going on with"):
            values()
        with pytest.raises(RuntimeError, match="allocate memory"):  # one row is too much
            huge = Greedy()
            huge.step = lambda tokens, state: (torch.empty(len(tokens), 1 << 40), state)
            action_values(huge, sequences, heads, 2)
    assert torch.equal(found, plain)
    assert len(sizes) == 1 and 1 <= sizes[0] < 64


def test_training_says_once_that_memory_is_short(data, monkeypatch):
    work = rounds(data)
    said, sizes = [], []
    monkeypatch.setattr(work.runtime, "say", said.append)
    original = action_values

    def short(*args, on_smaller_chunks, chunk_size, **more):
        sizes.append(chunk_size)
        if len(sizes) < 3:
            on_smaller_chunks(64 // len(sizes))
        return original(*args, chunk_size=chunk_size, **more)

    monkeypatch.setattr("seqgan.training.policy_gradient.action_values", short)
    for _ in range(3):
        work.player.step()
    assert sizes == [None, 64, 32] and len(said) == 1 and "out of memory" in said[0]
    assert work.player.state_dict()["chunk_size"] == 32


def rows(*tokens: list[int]) -> Sequences:
    return Sequences(torch.tensor(tokens), torch.tensor([len(each) for each in tokens]))


def raises(sequences: Sequences) -> torch.Tensor:
    for row in sequences.to_lists():
        if row == [7, 8]:
            raise KeyError("no such molecule")
    return torch.zeros(len(sequences))


def divides(sequences: Sequences) -> torch.Tensor:
    return torch.where(sequences.tokens[:, 0] == 7, math.nan, 1.0)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (raises, r"raises raised KeyError: 'no such molecule' for the .* ids \[7, 8\]"),
        (divides, r"divides returned nan for the sequence of token ids \[7, 8\]"),
        (lambda s: torch.zeros(3), r"returned \[3\]; the first of them is the .* \[5, 6\]"),
        (lambda s: None, r"returned NoneType; the first of them is the sequence of .* \[5, 6\]"),
        (ObjectiveReward(lambda s: [1.0]), r"got shape \[1\]; the first of them is \[5, 6\]"),
        (ObjectiveReward(lambda s: [1.0, math.inf]), r"returned inf for \[7, 8\]"),
    ],
)  # fmt: skip
def test_rewards_that_fail_show_the_sequence(reward, message):
    with pytest.raises(RewardError, match=message):
        reward_values(reward, rows([5, 6], [7, 8]))


def test_a_reward_that_fails_only_now_and_then():
    calls = []

    def flaky(sequences: Sequences) -> torch.Tensor:
        calls.append(len(sequences))
        if len(calls) == 1:
            raise ConnectionError("the server is gone")
        return torch.zeros(len(sequences))

    with pytest.raises(RewardError, match="a batch of 2, none of them by itself; the first is"):
        reward_values(flaky, rows([5, 6], [7, 8]))
    assert calls == [2, 1, 1]


def test_a_reward_that_fails_in_training_is_the_users_error(data):
    work = rounds(data)
    work.player.judge.reward = lambda sequences: torch.full((len(sequences),), math.nan)
    with pytest.raises(errors.RewardError, match="the reward: <lambda> returned nan for the seq"):
        work.player.step()
    assert issubclass(errors.RewardError, errors.SeqganError)
