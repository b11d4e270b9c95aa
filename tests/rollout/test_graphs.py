"""Recordings of work, by a double of CUDA's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from rollout import Sequences, action_values, generate
from rollout.completion import Flight
from rollout.graphs import CudaGraph, Graphs

from ..capture import NoCapture, use_recorded_graphs
from ..small import lstm
from .chains import Chain, count_of


@pytest.fixture(autouse=True)
def recorded(monkeypatch):
    return use_recorded_graphs(monkeypatch)


def of_lengths(batch: Sequences, factor: int) -> dict[str, torch.Tensor]:
    return {"tokens": batch.mask.sum(1) * factor, "first": batch.tokens[:, 0]}


def batch(*lengths: int, width: int = 4) -> Sequences:
    tokens = torch.arange(len(lengths) * width).view(len(lengths), width)
    return Sequences(tokens, torch.tensor(lengths), condition={"label": torch.tensor(lengths)})


def test_outputs_follow_the_inputs(recorded):
    graphs, kept = Graphs(), []
    for lengths in ((1, 2), (3, 4), (2, 2), (4, 1), (1, 1)):
        given = batch(*lengths)
        assert given.mask.any()  # it keeps its mask, which is not that of the next
        kept.append((lengths, graphs.run(of_lengths, given, 10)))
    for lengths, found in kept:  # none was overwritten by the next
        assert found["tokens"].tolist() == [10 * each for each in lengths]
        assert found["first"].tolist() == [0, 4]
    assert (recorded.made, recorded.replays) == (1, 3)


def test_other_shapes_and_other_numbers_are_recorded_apart(recorded):
    graphs = Graphs(limit=2)
    for factor, width in ((1, 4), (2, 4), (1, 5)):
        for _ in range(4):
            found = graphs.run(of_lengths, batch(3, 1, width=width), factor)
            assert found["tokens"].tolist() == [3 * factor, factor]
    assert recorded.made == 2  # the third is beyond the limit
    graphs.clear()
    for _ in range(3):
        graphs.run(of_lengths, batch(3, 1, width=5), 1)
    assert recorded.made == 3


def test_a_number_of_pythons_is_that_of_the_recording():
    """The double shows what goes wrong on a GPU where an input is not handed over."""
    graphs, hidden = Graphs(), [0.0]

    def wrong(values):
        return values + hidden[0]

    found = []
    for step in range(4):
        hidden[0] = float(step)
        found.append(float(graphs.run(wrong, torch.zeros(1))))
    assert found == [0.0, 1.0, 2.0, 2.0]


def test_memory_that_was_there_before_changes_by_replays_alone():
    graphs, total = Graphs(), torch.zeros(1)
    for step in range(1, 6):
        graphs.run(total.add_, torch.ones(1))
        assert float(total) == step


def read(values):
    return values * values.sum().item()


def host(values):
    return values + torch.tensor([1.0])


def drawn(values):
    return values + torch.rand(1, generator=torch.Generator())


@pytest.mark.parametrize("refused", [read, host, drawn])
def test_a_recording_that_fails_is_said_once_and_changes_nothing(refused):
    said: list[str] = []
    graphs = Graphs(on_failure=said.append)
    for _ in range(5):
        assert graphs.run(refused, torch.ones(1)) is not None
    assert graphs.failed and len(said) == 1 and "\n" not in said[0]
    assert said[0].startswith("no CUDA graph could be recorded (")


def test_the_reason_is_what_came_first_and_all_recordings_are_let_go(recorded, monkeypatch):
    """Torch's last word is that a recording is broken; a failure changes the random numbers."""
    said: list[str] = []
    other, graphs = Graphs(), Graphs(on_failure=said.append)
    for _ in range(3):
        other.run(of_lengths, batch(1, 2), 1)
    assert (recorded.made, other.replays[of_lengths]) == (1, 1)

    class Broken(recorded):
        @contextmanager
        def recording(self):
            try:
                with super().recording():
                    yield
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr("rollout.graphs.CudaGraph", Broken)
    for _ in range(3):
        graphs.run(read, torch.ones(1))
    assert len(said) == 1 and "_local_scalar_dense makes the host wait" in said[0]
    monkeypatch.setattr("rollout.graphs.CudaGraph", recorded)
    for _ in range(3):
        other.run(of_lengths, batch(1, 2), 1)
    assert recorded.made == 2 and not other.failed


def test_memory_that_is_too_small_for_one_shape_spares_the_others(recorded):
    said: list[str] = []
    graphs, calls = Graphs(on_failure=said.append), []

    def large(values):
        calls.append(len(values))
        if calls.count(3) == 3:  # two calls without a recording, then this one
            raise torch.cuda.OutOfMemoryError("too many")
        return values * 2

    for size in (3, 2) * 5:
        assert graphs.run(large, torch.ones(size)).tolist() == [2.0] * size
    assert len(said) == 1 and said[0].startswith("memory is too small for a CUDA graph")
    assert not graphs.failed and calls.count(3) == 6 and graphs.replays[large] == 1


def test_work_that_is_too_large_to_record_drops_ended_rows(recorded, monkeypatch):
    every = []

    class Noted(Flight):
        def __init__(self, *given):
            super().__init__(*given)
            every.append(self.compact_every)

    class Small:
        def __init__(self, *_):
            raise torch.cuda.OutOfMemoryError("too many")

    for module in ("generate", "monte_carlo"):
        monkeypatch.setattr(sys.modules[f"rollout.{module}"], "Flight", Noted)
    monkeypatch.setattr("rollout.graphs._Recorded", Small)
    policy = lstm(5, 6, 0, 2, 0, 4, 4)
    given = Sequences.from_lists([[3, 4, 1], [4, 1, 3]], pad_id=0)
    for way in (
        lambda graphs: generate(policy, 4, graphs=graphs),
        lambda graphs: action_values(policy, given, count_of(2), 2, graphs=graphs),
    ):
        graphs = Graphs(on_failure=lambda line: None)
        every.clear()
        for _ in range(5):
            way(graphs)
        # Two calls before the recording, the one without it, and those that know of it.
        assert every == [0, 0, 0, 8, 8]


def test_after_a_failure_stream_and_random_numbers_are_as_before(monkeypatch):
    """Torch's own context leaves the stream of the recording, and a generator in its state."""
    done: list[object] = []

    @contextmanager
    def graph(*_, **__):
        done.append("stream of the recording")
        try:
            yield
        finally:
            raise RuntimeError("capture_end")

    generator = SimpleNamespace(clone_state=lambda: "numbers", graphsafe_set_state=done.append)
    patches = {
        "CUDAGraph": lambda: SimpleNamespace(reset=lambda: done.append("reset")),
        "current_stream": lambda: "stream",
        "current_device": lambda: 0,
        "default_generators": (generator,),
        "set_stream": done.append,
        "graph": graph,
    }
    for name, value in patches.items():
        monkeypatch.setattr(torch.cuda, name, value)
    with pytest.raises(RuntimeError, match="capture_end"), CudaGraph(None, None).recording():
        raise ValueError("a rule that was broken")
    assert done == ["stream of the recording", "stream", "reset", "numbers"]


def test_it_warns_by_default():
    graphs = Graphs()
    with pytest.warns(RuntimeWarning, match="continuing without graphs"):
        for _ in range(3):
            graphs.run(read, torch.ones(1))


def test_other_devices_are_left_alone(recorded, monkeypatch):
    monkeypatch.setattr("rollout.graphs._DEVICES", ("cuda",))
    graphs = Graphs()
    for _ in range(5):
        graphs.run(of_lengths, batch(1, 2), 1)
    assert recorded.made == 0


def test_copies_from_the_host_are_noticed():
    there, index = torch.zeros(3, device="meta"), torch.tensor([0, 2])
    for copies in (
        lambda: there[index],
        lambda: index.to("meta"),
        lambda: there.copy_(index),
        lambda: torch.tensor([1.0], device="meta"),
    ):
        with pytest.raises(AssertionError, match="host"), NoCapture("meta"):
            copies()
    with NoCapture("meta"):
        assert (there + 1).sum().device.type == "meta"


def test_new_streams_are_noticed():
    with pytest.raises(AssertionError, match="a new stream"), NoCapture():
        torch.cuda.Stream()


@pytest.mark.parametrize("stratified", [False, True])
def test_rollouts_are_recorded_and_give_the_same_values(recorded, stratified):
    torch.manual_seed(0)
    policy = lstm(30, 5, 0, None, 0, 4, 6, initial_scale=0.8)
    graphs = Graphs()
    for step in range(5):
        rng = torch.Generator().manual_seed(step)
        given = generate(policy, 3, rng=rng)
        values = [
            action_values(
                policy, given, last_token, 2, rng=torch.Generator().manual_seed(9 + step),
                stratified=stratified, graphs=each,
            )
            for each in (None, graphs)
        ]  # fmt: skip
        assert torch.equal(*values) and not graphs.failed
        with torch.no_grad():  # a step of training, in place
            policy.head.bias.add_(torch.randn(30, generator=rng))
    assert (recorded.made, recorded.replays) == (1, 3)


@pytest.mark.parametrize(("eos_id", "compact_every"), [(None, None), (2, 0)])
def test_samples_are_recorded_and_are_the_same(recorded, eos_id, compact_every):
    torch.manual_seed(0)
    policy, graphs = lstm(30, 5, 0, eos_id, 0, 4, 6, initial_scale=0.8), Graphs()
    for step in range(5):
        one, other = (
            generate(
                policy, 6, rng=torch.Generator().manual_seed(step), graphs=each,
                compact_every=compact_every, chunk_size=4, row_offset=3,
            )
            for each in (None, graphs)
        )  # fmt: skip
        assert torch.equal(one.tokens, other.tokens) and torch.equal(one.lengths, other.lengths)
        assert torch.equal(one.terminated, other.terminated) and not graphs.failed
        with torch.no_grad():
            policy.head.bias.add_(torch.randn(30))
    assert (recorded.made, recorded.replays) == (1, 3)


@pytest.mark.parametrize(("count", "made"), [(8, 1), (9, 0)])
def test_samples_with_eos_are_recorded_if_all_fit(recorded, count, made):
    policy, graphs = lstm(30, 5, 0, 2, 0, 4, 6, initial_scale=0.8), Graphs()
    for step in range(4):
        one, other = (
            generate(
                policy, count, rng=torch.Generator().manual_seed(step), graphs=each, chunk_size=8
            )
            for each in (None, graphs)
        )  # fmt: skip
        assert torch.equal(one.tokens, other.tokens) and torch.equal(one.lengths, other.lengths)
    assert recorded.made == made and not graphs.failed


@pytest.mark.parametrize(("prefix", "compact_every"), [([3, 4], 0), (None, 2)])
def test_samples_that_the_host_looks_at_are_not_recorded(recorded, prefix, compact_every):
    policy, graphs = lstm(30, 5, 0, 2, 0, 4, 6), Graphs()
    for _ in range(4):
        generate(policy, 6, prefix=prefix, compact_every=compact_every, graphs=graphs)
    assert recorded.made == 0 and not graphs.failed


@pytest.mark.parametrize(
    ("settings", "made"),
    [({}, 1), ({"compact_every": 0}, 1), ({"compact_every": 8}, 0), ({"chunk_size": 40}, 0)],
    ids=str,
)
def test_rollouts_with_eos_are_recorded_if_no_row_is_dropped(recorded, settings, made):
    """By default if all 6 x 4 x 2 completions fit into one chunk."""
    policy, graphs = lstm(30, 5, 0, 2, 0, 4, 6, initial_scale=0.8), Graphs()
    for step in range(4):
        given = generate(policy, 6, rng=torch.Generator().manual_seed(step))
        one, other = (
            action_values(
                policy, given, last_token, 2, rng=torch.Generator().manual_seed(step), graphs=each,
                **more,
            )
            for each, more in ((None, {"compact_every": 1}), (graphs, settings))
        )  # fmt: skip
        assert torch.allclose(one, other, atol=1e-6)
    assert recorded.made == made and not graphs.failed


class Cramped(Chain):
    """More than `room` rows at once are too many."""

    room, calls, failures = 20, 0, 0

    def step(self, tokens, state):
        self.calls += 1
        if len(tokens) > self.room:
            self.failures += 1
            raise torch.cuda.OutOfMemoryError("too many")
        return super().step(tokens, state)


@pytest.mark.parametrize("with_graphs", [True, False])
def test_the_rows_that_memory_was_enough_for_are_remembered(recorded, with_graphs):
    chain = Chain.random(5, 4)
    cramped, plenty = Cramped(chain.table.detach(), 4), chain
    graphs = Graphs() if with_graphs else None
    chunk_size, told, failures = None, [], []
    for step in range(5):
        given = generate(plenty, 4, rng=torch.Generator().manual_seed(step))

        def values(policy, step=step, given=given, **more):
            rng = torch.Generator().manual_seed(step)
            return action_values(policy, given, count_of(2), 16, rng=rng, **more)

        found = values(cramped, chunk_size=chunk_size, on_smaller_chunks=told.append, graphs=graphs)
        chunk_size = told[-1]
        failures.append(cramped.failures)
        assert torch.equal(found, values(plenty))
    # All 192 completions at once, 96, 48; then 24, which later calls are given.
    assert failures == [3] * 5 and told == [24]
    assert recorded.made == int(with_graphs) and (graphs is None or not graphs.failed)


def test_memory_that_one_row_exceeds_is_an_error(recorded):
    cramped = Cramped(Chain.random(5, 4).table.detach(), 4)
    cramped.room = 0
    given = generate(Chain.random(5, 4), 4)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="too many"):
        action_values(cramped, given, count_of(2), 3, graphs=Graphs())


def last_token(sequences: Sequences) -> torch.Tensor:
    return sequences.tokens[:, -1].float()
