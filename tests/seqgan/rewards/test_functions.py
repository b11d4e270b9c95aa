"""Functions of a user's as rewards: how they are called, and what may go wrong."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rollout import RewardError, Sequences
from seqgan.config import FileCorpus, GrammarCorpus, RewardConfig
from seqgan.config.drawn_corpus import StylesCorpus
from seqgan.config.rewards import reward_terms
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.rewards import workers
from seqgan.rewards.build import build_reward, check_rewards
from seqgan.rewards.ingredients import Ingredients

from . import functions

HERE = "tests.seqgan.rewards.functions"


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


@pytest.fixture
def three(data) -> Sequences:
    """Texts of three, two and three words: the last is the first again."""
    rows = [data.codec.encode(text) for text in ("a man running", "the dog", "a man running")]
    rows = [row + [data.spec.eos_id] for row in rows]
    return Sequences.from_lists(rows, data.spec.pad_id, terminated=True)


def reward_of(data, name, *, skip=False, said=None, **config):
    given = Ingredients(
        data.train, data.codec, 0, config=RewardConfig(**config), skip=skip,
        say=print if said is None else said.append,
    )  # fmt: skip
    return build_reward(reward_terms([f"{HERE}:{name}"]), given)


def test_a_function_is_called_as_trl_calls_it_and_once_per_sequence(data, three):
    functions.CALLS.clear()
    reward = reward_of(data, "long")
    assert reward(three).tolist() == [3.0, 2.0, 3.0]
    (found,) = functions.CALLS
    assert found["completions"] == ["a man running", "the dog"]  # the repeated one is known
    assert found["completion_ids"] == three.to_lists()[:2] and found["prompts"] == ["", ""]
    assert reward(three).tolist() == [3.0, 2.0, 3.0] and len(functions.CALLS) == 1
    assert reward.take_calls() == 2 and reward.take_calls() == 0
    assert reward_of(data, "long", cache=False)(three).tolist() == [3.0, 2.0, 3.0]


def test_a_function_gets_only_what_it_names(data, three):
    assert reward_of(data, "tokens")(three).tolist() == [sum(row) for row in three.to_lists()]


def test_batches(data, three):
    functions.CALLS.clear()
    reward_of(data, "long", batch=1)(three)
    assert [call["completions"] for call in functions.CALLS] == [["a man running"], ["the dog"]]


def test_none_abstains(data, three):
    reward = reward_of(data, "abstains")
    assert reward(three).tolist() == [1.0, 0.0, 1.0]
    (values,) = reward.judge(three)
    assert values[0] == 1 and math.isnan(values[1])


def test_async_functions(data, three):
    assert reward_of(data, "awaited")(three).tolist() == [3.0] * 3
    with pytest.raises(  # else it would never end
        RewardError, match=r"sleeps took longer than 0\.05 seconds for 'a man running"
    ):
        reward_of(data, "sleeps", timeout=0.05)(three)


def test_async_functions_in_a_notebook_and_all_batches_at_once(data, three):
    """A notebook's event loop runs already; and one batch is not awaited after the other."""

    async def cell():
        return reward_of(data, "meets", batch=1)(three).tolist()

    functions.WAITING.clear()
    assert asyncio.run(cell()) == [4.0] * 3 and functions.WAITING == [1, 1]


def test_functions_that_need_what_there_is_not_are_refused_before_the_run():
    """A column of the data is one that sequences are asked for by, under either of its names."""
    terms = reward_terms([f"{HERE}:known_answers"])
    with pytest.raises(ConfigError, match="known_answers: it needs answer, .*, prompts; give answ"):
        check_rewards(terms, RewardConfig(), FileCorpus().names())
    corpus = FileCorpus(source="question", label="answer")
    check_rewards(terms, RewardConfig(), corpus.names())
    assert corpus.names() == {"label", "source", "question", "answer"}
    check_rewards(reward_terms([f"{HERE}:long"]), RewardConfig(), set())


def test_the_first_sequence_that_fails_is_the_last_that_is_asked_for(data):
    """A service that is down is not asked for each of a thousand sequences in turn."""
    batch = data.train.select(slice(0, 20))
    reward = reward_of(data, "too_few")
    with pytest.raises(RewardError, match="too_few returned 0 values for 1 sequences for"):
        reward(batch)
    distinct = len({*map(tuple, batch.to_lists())})
    assert reward.take_calls() == distinct + 1
    skipping = reward_of(data, "too_few", skip=True, said=[])
    assert skipping(batch).tolist() == [0.0] * 20 and skipping.take_calls() == 2 * distinct


def test_terms_share_the_workers_of_a_function(data):
    given = Ingredients(data.train, data.codec, 0, config=RewardConfig(workers=1))
    rewards = [build_reward(reward_terms([f"{HERE}:{x}"]), given) for x in ("long", "long", "dies")]
    first, second, third = (each.functions.popitem()[1].workers for each in rewards)
    assert first is second is not third


@pytest.mark.parametrize(
    "name, message",
    [
        ("raises", "raises raised ZeroDivisionError: .* for 'a man running'$"),
        ("not_a_number", "not_a_number returned nan for 'a man running'$"),
        ("too_few", "too_few returned 0 values for 1 sequences for 'a man running'$"),
        ("nothing", "nothing returned nothing, not a list of numbers for 'a man running'$"),
    ],
)
def test_what_goes_wrong_is_one_line_with_the_sequence(data, three, name, message):
    with pytest.raises(RewardError, match=message):
        reward_of(data, name)(three)


@pytest.mark.parametrize("name, expected", [("raises", [0.0, -1.0, 0.0]), ("nothing", [0.0] * 3)])
def test_skipping_goes_on(data, three, name, expected):
    said = []
    assert reward_of(data, name, skip=True, said=said)(three).tolist() == expected
    assert "'a man running'; skipped, 1 so far" in said[0]


def test_workers(data, three):
    reward = reward_of(data, "long", workers=2)
    assert reward(three).tolist() == [3.0, 2.0, 3.0]
    assert reward_of(data, "awaited", workers=1)(three).tolist() == [3.0] * 3
    with pytest.raises(
        RewardError, match="raises raised ZeroDivisionError: .* for 'a man running'$"
    ):
        reward_of(data, "raises", workers=1)(three)
    with pytest.raises(RewardError, match=r"dies ended its process \(exit code 7\) for 'a man"):
        reward_of(data, "dies", workers=1)(three)


class UntilItHangs:
    """A timer of a call that runs out as soon as the process of the call hangs."""

    place: Path

    def __init__(self, seconds, function, arguments):
        self.seconds, self.function, self.arguments = seconds, function, arguments
        self.ended = threading.Event()

    def start(self):
        threading.Thread(target=self._wait, daemon=True).start()

    def cancel(self):
        self.ended.set()

    def _wait(self):
        process = str(self.arguments[0].pid)
        while not self.ended.wait(0.01):
            if self.place.exists() and self.place.read_text() == process:
                assert self.seconds == 2
                self.function(*self.arguments)
                return


def test_a_call_that_hangs_is_ended(data, three, tmp_path, monkeypatch):
    UntilItHangs.place = tmp_path / "hanging"
    monkeypatch.setenv("HANGING", str(UntilItHangs.place))
    monkeypatch.setattr(workers.threading, "Timer", UntilItHangs)
    said = []
    reward = reward_of(data, "hangs", workers=2, timeout=2, skip=True, said=said)
    assert reward(three).tolist() == [0.0, 2.0, 0.0]
    assert "hangs took longer than 2 seconds for 'a man running'; skipped" in said[0]


def test_what_cannot_be_had_is_said_before_the_run(data):
    for name, config, message in (
        ("gone", {}, "has no 'gone'"),
        ("VALUE", {}, "3 cannot be called"),
        ("long", {"timeout": 1}, "--reward.timeout: .* cannot be interrupted there"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_rewards(reward_terms([f"{HERE}:{name}"]), RewardConfig(**config))
    check_rewards(reward_terms([f"{HERE}:sleeps"]), RewardConfig(timeout=1))
    with pytest.raises(ConfigError, match=r"references: nothing\.txt: No such file"):
        check_rewards(reward_terms({"name": "bleu", "references": "nothing.txt"}), RewardConfig())


def test_a_budget_remembers_what_was_judged(data, three):
    reward = reward_of(data, "long", calls=10)
    reward(three)
    other = reward_of(data, "long", calls=10)
    other.load_state_dict(reward.state_dict())
    functions.CALLS.clear()
    assert other(three).tolist() == [3.0, 2.0, 3.0] and not functions.CALLS
    assert torch.equal(*(each.state_dict()["long"]["tokens"] for each in (reward, other)))


def test_a_function_gets_what_was_asked_for():
    """The label under the data's own name for it too; the same text for another label is new."""
    corpus = StylesCorpus(num_train=30, num_validation=9, num_heldout=9, num_test=9)
    data = load_data("styles", corpus, seed=1)
    given = Ingredients(
        data.train, data.codec, 0, config=RewardConfig(calls=10), conditions=data.conditions,
        columns={"label": "mood"},
    )  # fmt: skip
    terms = reward_terms([f"{HERE}:long"])
    reward = build_reward(terms, given)
    one = data.train.select(torch.tensor([0, 0, 0]))
    asked = replace(one, condition={"label": torch.tensor([1, 0, 1])})
    functions.CALLS.clear()
    reward(asked)
    (call,) = functions.CALLS
    names = [data.conditions.labels[1], data.conditions.labels[0]]
    assert call["prompts"] == call["label"] == call["mood"] == names
    assert len(call["completions"]) == 2 and reward.take_calls() == 2
    other = build_reward(terms, given)
    other.load_state_dict(reward.state_dict())
    assert torch.equal(other(asked), reward(asked)) and other.take_calls() == 0
    other(data.train.select(torch.tensor([1])))
    assert other.take_calls() == 1
