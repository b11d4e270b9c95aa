"""`seqgan-bench speed` runs, and says what it measured."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rich.console import Console

from benchmarks.cli import main
from benchmarks.speed import engine, evaluation, operations, peer, workload
from benchmarks.speed.machine import Timer, peak_memory
from benchmarks.speed.tables import markdown
from benchmarks.speed.transformer import TransformerSizes, build_policy, transformer
from rollout import generate
from seqgan.config import RunConfig

from ..capture import use_recorded_graphs
from ..live_memory import LiveMemory


def test_every_table_is_written(tmp_path, capsys, monkeypatch):
    output = tmp_path / "speed"
    assert main(["speed", "--tiny", "true", "--repeats", "1", "--output", str(output)]) == 0
    result = json.loads(output.with_suffix(".json").read_text())
    names = [row["name"] for row in result["operations"]]
    assert names[0] == "rollouts" and "MLE epoch, 8 x 6 tokens" in names and len(names) == 10
    for row in result["operations"]:
        assert row["seconds"] > 0 and row["plain_seconds"] > 0 and row["share_of_limit"] > 0
    parts = {row["name"]: row["seconds"] for row in result["operations"]}
    whole = parts["generator step, fp32"] + parts["discriminator epoch"]
    assert parts["whole round, fp32 (the sum of both)"] == pytest.approx(whole)
    assert {row["size"] for row in result["scaling"]} == {
        "length", "vocabulary", "rollouts", "batch"
    }  # fmt: skip
    assert 2 < result["eos"]["mean_length"] < 4.5
    assert result["gemm"] > 0 and result["memory_rate"] > 0
    assert result["machine"]["chunk_rows"] >= 64
    assert output.with_suffix(".md").read_text() == markdown(result) + "\n"
    assert "instructions for products of bf16." in output.with_suffix(".md").read_text()
    assert "Stratified rollouts" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["speed-cpu", "speed-processes-cpu"])
def test_the_docs_have_the_committed_figures(name):
    root = Path(__file__).parents[2]
    place = root / "benchmarks" / "results" / name
    result = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
    text = place.with_suffix(".md").read_text(encoding="utf-8")
    assert text == markdown(result) + "\n"
    page = root / "docs" / ("speed.md" if name == "speed-cpu" else "processes.md")
    table = re.findall(r"^\| .* s \|.*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) >= 10 and set(table) <= set(text.splitlines())


def tiny_operations() -> tuple[workload.Workload, list[dict]]:
    work = workload.Workload(workload.TINY, torch.device("cpu"))
    rates = {"gemm": 1e9, "memory_rate": 1e9}
    timer, console = Timer(work.device), Console(quiet=True)
    return work, operations.operations(operations.Shares(0.1, 0.1, 1), work, timer, rates, console)


def test_a_device_with_graphs_is_timed_with_and_without_them(monkeypatch):
    """Rollouts, samples and steps of all three models' trainings are graphs, as in a run."""
    recorded = use_recorded_graphs(monkeypatch)
    replayed: dict[str, int] = {}
    monkeypatch.setattr(operations, "plain_reference", lambda: None)
    monkeypatch.setattr(operations, "peak_memory", lambda work, device: None)
    monkeypatch.setattr(workload, "TINY", workload.Sizes(30, 4, 2, 2, 4, 1, 1, 2, 0.01))
    row = operations._row

    def noted(each, work, *more):
        before = recorded.replays
        found = row(each, work, *more)
        replayed[f"{each.name}, {work.graphs}, {work.matmul_precision}"] = recorded.replays - before
        return found

    monkeypatch.setattr(operations, "_row", noted)
    _, rows = tiny_operations()
    ways = ["", ", graphs", ", graphs, TF32"]
    assert [row["name"] for row in rows if "rollouts" in row["name"]] == [
        f"rollouts{w}" for w in ways
    ]
    assert len(rows) == 3 * 10 and len(replayed) == 3 * 8
    for name, count in replayed.items():
        assert (count > 0) == ("True" in name), name


def test_without_a_checkout_it_says_so(monkeypatch):
    monkeypatch.setattr(workload, "__file__", "/nowhere/benchmarks/speed/workload.py")
    assert workload.plain_reference() is None
    work, rows = tiny_operations()
    assert all(row["plain_seconds"] is None for row in rows)
    machine = engine.describe(work.device, work)
    result = {"machine": machine, "operations": rows, "seed": 0, "gemm": 1e9, "memory_rate": 1e9}
    assert "part of a checkout" in markdown({**result, "command": ["seqgan-bench", "speed"]})


@pytest.mark.slow
def test_processes_that_share_the_work(tmp_path):
    output = tmp_path / "speed"
    words = ["speed", "--tiny", "true", "--repeats", "1", "--parts", "[processes]"]
    assert main([*words, "--output", str(output)]) == 0
    rows = json.loads(output.with_suffix(".json").read_text())["processes"]
    assert {row["processes"] for row in rows} == {1, 2}
    assert len({row["name"] for row in rows}) == 4
    for row in rows:  # an MLE step has 4 sequences of 6 tokens
        assert row["seconds"] > 0
        if row["name"] == "MLE step":
            assert row["tokens"] * row["seconds"] == pytest.approx(4 * 6)
    assert "tokens a second" in output.with_suffix(".md").read_text()


def test_peak_memory_sees_what_is_taken_and_given_back():
    taken = peak_memory(lambda: torch.ones(1 << 24).sum(), torch.device("cpu"))
    if taken is None:
        pytest.skip("the operating system does not say")
    assert 60e6 < taken < 200e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "--device: 'tpu' is neither cpu nor cuda"),
        (["--parts", "[all]"], "--parts: 'all' is none of"),
        (["--plain_share", "0"], "--plain_share: 0.0 is not in"),
        (["--repeats", "0"], "--repeats: 0 is below 1"),
    ],
)
def test_wrong_settings_are_named(arguments, message, capsys):
    assert main(["speed", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(capsys):
    assert main(["speed", "--device", "cuda"]) == 2
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_the_transformer_beside_what_it_is_compared_with(tmp_path):
    output = tmp_path / "speed"
    words = ["speed", "--tiny", "true", "--repeats", "1", "--parts", "[transformer]"]
    assert main([*words, "--output", str(output)]) == 0
    found = json.loads(output.with_suffix(".json").read_text())["transformer"]
    assert found["rollouts"]["seconds"] > 0 and found["training"]["seconds_of_torch"] > 0
    assert "| rollouts | " in output.with_suffix(".md").read_text()


def test_a_row_of_the_transformer_takes_the_memory_that_it_says():
    sizes = TransformerSizes(length=16)
    policy = build_policy(sizes, 0)
    peaks = []
    for rows in (64, 64, 192):  # the first time some memory is made that is kept
        with LiveMemory() as memory:
            generate(policy, rows, rng=torch.Generator().manual_seed(0), chunk_size=rows)
        peaks.append(memory.most)
    row = (peaks[2] - peaks[1]) / 128
    # The cache alone: keys and values of each layer, place and unit, in numbers of 4 bytes.
    assert 2 * sizes.layers * sizes.length * sizes.width * 4 <= row <= policy.row_bytes


@pytest.mark.slow
def test_the_transformers_cache_pays():
    device = torch.device("cpu")
    found = transformer(device, Timer(device), seed=0, repeats=3, tiny=False)
    rollouts, training = found["rollouts"], found["training"]
    assert rollouts["seconds_without_cache"] >= 5 * rollouts["seconds"]
    assert training["seconds"] <= training["seconds_of_torch"] / 0.8


def test_the_policy_methods_are_measured_on_a_task_that_can_be_failed(tmp_path, monkeypatch):
    from benchmarks import policy_methods

    found = policy_methods.work_to_reach("GSPO", 0, share=0.3)
    updates = RunConfig(method="grpo").algorithm.updates
    assert found.steps > 0 and found[1:] == (updates * found.steps, 32 * found.steps)
    monkeypatch.setattr(policy_methods, "MOST", 1)
    assert policy_methods.work_to_reach("RLOO", 0, share=0.99) is None
    monkeypatch.setattr(policy_methods, "METHODS", {"RLOO": ("rloo", {})})
    monkeypatch.setattr("sys.argv", ["x", "--seeds", "1", "--output", str(tmp_path / "found.md")])
    policy_methods.main()
    assert "| RLOO | - | not reached |" in (tmp_path / "found.md").read_text()


def test_a_row_of_the_policy_methods_by_hand():
    from benchmarks.policy_methods import Reached, row

    found = [Reached(5, 20, 1_600), Reached(3, 12, 1_000), None]
    expected = "| GRPO | 4 | 3 to 5, 1 of 3 not | 16 | 1,300 | 2.0 |"
    assert row("GRPO", found, 2.0) == expected


def test_a_folder_that_holds_no_peer(tmp_path, capsys):
    words = ["speed", "--tiny", "true", "--repeats", "1", "--parts", "[operations]"]
    assert main([*words, "--peer", str(tmp_path)]) == 2
    assert "holds no checkout of TextGAN-PyTorch" in capsys.readouterr().err


def test_a_peer_without_the_operations_that_it_is_timed_beside(tmp_path, capsys):
    assert main(["speed", "--parts", "[memory]", "--peer", str(tmp_path)]) == 2
    assert "--peer: it is timed beside the part operations" in capsys.readouterr().err


PEER = {
    "config.py": "CUDA = True\nopen('written', 'w').close()\n",
    "models/__init__.py": "",
    "models/SeqGAN_G.py": """
import torch
from utils import rollout

class SeqGAN_G(torch.nn.Module):
    def __init__(self, embedding, hidden, vocabulary, length, pad, gpu):
        super().__init__()
        assert not gpu and (embedding, hidden, vocabulary, length) == (32, 32, 200, 6)
        self.vocabulary, self.table = vocabulary, torch.nn.Embedding(vocabulary, vocabulary)

    def init_hidden(self, count):
        return count

    def forward(self, tokens, hidden):
        return self.table(tokens).log_softmax(-1).view(-1, self.vocabulary)

    def sample(self, count, batch, start):
        rollout.CALLS.append("sample")
""",
    "models/SeqGAN_D.py": """
import torch

dis_num_filters, dis_filter_sizes = [100, 200], [1, 20]

class SeqGAN_D(torch.nn.Module):
    def __init__(self, embedding, vocabulary, pad, gpu):
        super().__init__()
        assert (dis_num_filters, dis_filter_sizes) == ([2, 4], [1, 6])
""",
    "utils/__init__.py": "",
    "utils/rollout.py": """
CALLS = []

class ROLLOUT:
    def __init__(self, generator, gpu):
        pass

    def rollout_mc_search(self, tokens, given):
        CALLS.append(given)

    def get_reward(self, tokens, number, judge):
        CALLS.append("reward")
""",
}
"""A stand-in for a checkout of TextGAN-PyTorch: the names and arguments that are used of it."""


def test_a_peer_is_timed_beside_the_operations(tmp_path, monkeypatch):
    for name, text in PEER.items():
        (tmp_path / "peer" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "peer" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "utils", ours := ModuleType("utils"))
    work = workload.Workload(workload.TINY, torch.device("cpu"))
    found = peer.Peer("peer", work)
    calls = found.rollout.rollout_mc_search.__globals__["CALLS"]
    assert sys.modules["utils"] is ours and "models" not in sys.modules  # names are free again
    assert not Path("written").exists()  # what it writes is written elsewhere
    names = [*found.parts(), "rollouts, graphs", "discriminator epoch"]
    rows = [{"name": name, "seconds": 2.0} for name in names]
    table = peer.beside(found, rows, Timer(work.device), 1)
    assert table["revision"] == "unknown"
    assert [row["name"] for row in table["rows"]] == [
        "rollouts", "rollouts, graphs", "rewards, fp32", "sampling 16 sequences",
        "MLE epoch, 8 x 6 tokens",
    ]  # fmt: skip
    assert calls == [*range(1, 7)] * 2 + ["reward"] * 2 + ["sample"] * 2
    assert all(row["peer_seconds"] > 0 for row in table["rows"])


def test_the_parts_of_an_evaluation_and_large_models(tmp_path):
    output = tmp_path / "speed"
    words = ["speed", "--tiny", "true", "--parts", "[evaluation,large]", "--output", str(output)]
    assert main(words) == 0
    found = json.loads(output.with_suffix(".json").read_text())
    parts = {row["part"]: row["seconds"] for row in found["evaluation"]["rows"]}
    assert {*parts} == {*evaluation.PARTS, "decoding", "the rest"} and min(parts.values()) > 0
    assert [row["precision"] for row in found["large"]] == ["fp32", "bf16"]
    text = output.with_suffix(".md").read_text()
    assert "40 samples of each, 20 at each temperature" in text
    assert "| V 200, T 6, batch 4, 16 units | bf16 | " in text


def test_the_time_of_a_part_within_another_is_not_counted_twice(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(evaluation.time, "perf_counter", lambda: next(clock))
    shares = evaluation.Shares(torch.device("cpu"))
    inner = shares.of("inner", lambda: None)
    with shares.within("outer"):
        inner()  # from 1 to 3
        inner()  # from 6 to 10
    assert shares.seconds == {"outer": 1.0 + 3.0 + 5.0, "inner": 2.0 + 4.0}
