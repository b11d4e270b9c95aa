"""The commands as they are typed, on one small run; and settings that can be fed back."""

from __future__ import annotations

import importlib.machinery
import json
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from rollout import generate
from seqgan.cli.main import COMMANDS, main
from seqgan.cli.parsing import parse
from seqgan.hub import TextGenerator
from seqgan.runs.run_directory import RunDirectory
from seqgan.seeding import rng_for
from seqgan.training import trackers

from ..tiny import without_report

LINES = [
    f"a {kind} {being} sits on the {place} ."
    for kind in ("red", "blue", "green", "old", "new", "small")
    for being in ("cat", "dog", "bird", "horse")
    for place in ("mat", "sofa", "roof", "bench")
]
PRETRAIN = (
    "pretrain --data captions.txt --size smoke --corpus.num_train 60 --corpus.min_count 1 "
    "--pretrain.epochs 8 --pretrain.optimizer.learning_rate 0.03 --evaluation.resamples 10"
)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "captions.txt").write_text("\n".join(LINES) + "\n")
    (folder / "references.txt").write_text("\n".join(LINES[::3]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        without_report(patch)
        assert main(PRETRAIN.split() + ["--output_dir", "runs/first"]) == 0
    return folder


@pytest.fixture
def here(workplace, monkeypatch) -> Path:
    monkeypatch.chdir(workplace)
    return workplace


def printed(capsys, command: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert main(shlex.split(command)) == 0
    return str(capsys.readouterr().out)


@pytest.mark.parametrize(
    "command",
    [
        "run --data captions.txt --method seqgan --seed 5 --trackers [wandb] --corpus.field text",
        "pretrain --size quick --pretrain.epochs 3 --generator.initial_scale 0.1",
        "finetune --run runs/first --adversarial.rounds 3 --algorithm.loss clipped",
        "sample --run runs/first --number 3 --top_k 5 --top_p 0.9 --prefix 'a red'",
        "evaluate --run runs/first --num_samples 30 --output scores.json",
        "evaluate --samples a.txt --references b.txt --bleu_tokenizer spaces --seed 3",
        "compare runs/first runs/second",
        "report --run runs/first",
        "explain --run runs/first --seed 4",
        "watch --run runs/first",
        "data grammar --examples 2 --corpus.num_train 100",
        "push --run runs/first --to ./model --model mle",
        "pull --model ./model --to copy",
        "completion bash",
        "methods seqgan",
    ],
    ids=lambda command: command.split()[0],
)
def test_printed_settings_give_the_same_settings(capsys, here, tmp_path, command):
    name, *arguments = shlex.split(command)
    path = tmp_path / "settings.yaml"
    path.write_text(printed(capsys, f"{command} --print_config"))
    assert parse(name, ["--config", str(path)]) == parse(name, arguments)


def test_every_command_is_among_those_tested_above():
    marks = test_printed_settings_give_the_same_settings.pytestmark
    assert {command.split()[0] for command in marks[0].args[1]} == set(COMMANDS)


def test_commands_do_the_same_from_a_settings_file(capsys, here, tmp_path):
    for i, command in enumerate((
        "sample --run runs/first --number 3 --temperature 0.7 --seed 2",
        "compare runs/first runs/first",
        "data captions.txt --examples 1",
        "evaluate --samples references.txt --references captions.txt",
    )):  # fmt: skip
        path = tmp_path / f"{i}.yaml"
        path.write_text(printed(capsys, f"{command} --print_config"))
        said = printed(capsys, command)
        assert printed(capsys, f"{command.split()[0]} --config {path}") == said != ""


def test_samples_with_prefix_number_limits_and_file(capsys, here, tmp_path):
    lines = printed(capsys, "sample --run runs/first --number 7").splitlines()
    assert len(lines) == 7 and len(set(lines)) > 1
    prefixed = "sample --run runs/first --number 5 --prefix 'a red'"
    assert all(line.startswith("a red") for line in printed(capsys, prefixed).splitlines())
    best = printed(capsys, "sample --run runs/first --number 6 --top_k 1").splitlines()
    assert len(best) == 6 and len(set(best)) == 1  # always the likeliest token
    assert set(printed(capsys, "sample --run runs/first --top_p 1e-9").splitlines()) == set(best)
    out = tmp_path / "folder" / "samples.txt"
    assert printed(capsys, f"sample --run runs/first --number 7 --output {out}") == ""
    assert out.read_text(encoding="utf-8").splitlines() == lines
    assert printed(capsys, "sample --run runs/first --number 7 --seed 1").splitlines() != lines


def test_a_runs_model_is_measured_against_any_file(capsys, here, tmp_path):
    out = tmp_path / "run.json"
    flags = "--references references.txt --training captions.txt --bleu_tokenizer characters"
    printed(capsys, f"evaluate --run runs/first {flags} --num_samples 40 --output {out} --seed 4")
    model = TextGenerator.from_run("runs/first")
    drawn = generate(model.policy, 40, rng=rng_for(4, "samples", "mle"))
    samples = tmp_path / "samples.txt"
    samples.write_text("\n".join(model.codec.texts(drawn)) + "\n", encoding="utf-8")
    again = tmp_path / "file.json"
    resamples = RunDirectory.open(Path("runs/first")).config()["evaluation"]["resamples"]
    file = f"evaluate --samples {samples} {flags} --resamples {resamples} --seed 4"
    printed(capsys, f"{file} --output {again}")
    found = json.loads(out.read_text())
    assert found["mle"] == json.loads(again.read_text())["samples"]
    assert "tok:characters" in {s["name"]: s for s in found["mle"]}["bleu-2"]["signature"]


def test_several_runs_stand_side_by_side(capsys, here):
    table = printed(capsys, "compare runs/first runs/first runs/first")
    header = next(line for line in table.splitlines() if "runs/first" in line)
    assert header.count("runs/first") == 3
    scores = json.loads(Path("runs/first/results.json").read_text())["scores"]["mle"]
    nll = next(score["value"] for score in scores if score["name"] == "nll")
    assert table.count(f"{nll:.3f} ±") >= 3


def test_tensorboard_shows_what_the_log_holds(here):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("runs/first")
    events.Reload()
    lines = [line for line in RunDirectory(Path("runs/first")).read_log() if line["stage"] == "mle"]
    for key in ("train_nll", "validation_nll"):
        shown = events.Scalars(f"mle/{key}")
        assert [event.step for event in shown] == [line["step"] for line in lines]
        assert [event.value for event in shown] == pytest.approx([line[key] for line in lines])


class _Recorder:
    """Stands for a run of wandb or trackio, and keeps what it was given."""

    def __init__(self, **settings):
        self.settings, self.lines, self.metrics, self.ended = settings, [], [], False

    def log(self, values, step=None, **_):
        assert step is None, "their own step only grows; ours begin anew with each stage"
        assert None not in values.values()
        self.lines.append(values)

    def define_metric(self, name, step_metric):
        self.metrics.append((name, step_metric))

    def finish(self):
        self.ended = True


def _module(name: str, runs: list[_Recorder]) -> ModuleType:
    """A module that stands for a tracker's package."""
    module = ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def init(**settings):
        runs.append(_Recorder(**settings))
        return runs[-1]

    module.init = init
    module.finish = lambda: runs[-1].finish()
    module.config = SimpleNamespace()
    return module


def test_wandb_and_trackio_get_every_measurement(here, monkeypatch):
    runs: dict[str, list[_Recorder]] = {"wandb": [], "trackio": []}
    for name, kept in runs.items():
        monkeypatch.setitem(sys.modules, name, _module(name, kept))
    arguments = [*PRETRAIN.split(), "--output_dir", "runs/tracked", "--trackers", "[wandb,trackio]"]
    assert main(arguments) == 0
    folder = Path("runs/tracked")
    assert not list(folder.glob("events.*"))
    lines = [line for line in RunDirectory(folder).read_log() if line["stage"] == "mle"]
    for (run,) in runs.values():
        assert run.settings["project"] == "seqgan" and run.settings["name"] == "tracked"
        assert run.ended
        kept = [line for line in run.lines if "mle/step" in line]
        assert [line["mle/step"] for line in kept] == [line["step"] for line in lines]
        assert [line["mle/train_nll"] for line in kept] == [x["train_nll"] for x in lines]
    assert runs["wandb"][0].settings["dir"] == "runs/tracked"
    assert ("mle/*", "mle/step") in runs["wandb"][0].metrics


def test_each_stage_of_wandb_is_drawn_against_its_own_step():
    tracker = trackers._WandB.__new__(trackers._WandB)
    tracker.run, tracker._stages = _Recorder(), set()
    for step in (1, 2):
        tracker.log({"member-2/train_nll": 1.0}, step)
    tracker.log({"samples/table": "| a |"}, 5)
    assert tracker.run.metrics == [(f"{x}/*", f"{x}/step") for x in ("member-2", "samples")]
    assert tracker.run.lines[1] == {"member-2/train_nll": 1.0, "member-2/step": 2}


def test_a_long_evaluation_shows_on_standard_error_how_far_it_is(capsys, here, monkeypatch):
    from seqgan.training import progress

    command = "evaluate --run runs/first --num_samples 20"
    quick = printed(capsys, command)
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.0)
    assert main(command.split()) == 0
    shown = capsys.readouterr()
    assert shown.out == quick
    assert shown.err.startswith("Evaluation: 1/1 models, 0:00:") and shown.err.count("\n") == 1
