"""Command lines as people type them: what was meant is done, or the right form is named."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cli as bench
from seqgan.cli import main as cli
from seqgan.cli.arguments import arranged, near_flag
from seqgan.cli.parsing import _parsed, parse, parse_settings
from seqgan.cli.table import COMMANDS
from seqgan.config.describe import every_setting
from seqgan.errors import ConfigError
from seqgan.terminal import SPINS, chosen_command, share_cores

from ..failing import fails


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a file of data and the folder of a run."""
    (tmp_path / "captions.txt").write_text("a cat sits .\n")
    for name in ("config.yaml", "environment.json", "checkpoints/finetuned"):
        place = tmp_path / "runs" / "demo" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


SAME = [
    ("sample --run x --prefix -C", "sample --run x --prefix=-C"),
    ("sample --run x --prefix '-- he said'", "sample --run x '--prefix=-- he said'"),
    ("sample --run x --prefix -1 --seed 3", "sample --run x --prefix=-1 --seed=3"),
    ("evaluate --samples a --references b --unk -", "evaluate --samples a --references b --unk=-"),
    ("sample runs/demo", "sample --run runs/demo"),
    ("sample --number 3 runs/demo", "sample --run runs/demo --number 3"),
    ("report runs/demo", "report --run runs/demo"),
    ("evaluate runs/demo", "evaluate --run runs/demo"),
    ("evaluate captions.txt other.txt", "evaluate --samples captions.txt --references other.txt"),
    ("evaluate --samples captions.txt b.txt", "evaluate --samples captions.txt --references b.txt"),
    ("run captions.txt", "run --data captions.txt"),
    ("run grammar --seed 3", "run --data grammar --seed 3"),
    ("pretrain captions.txt --seed 3", "pretrain --data captions.txt --seed 3"),
    ("run -- -odd.txt", "run --data=-odd.txt"),
    ("data -- -odd.txt", "data --source=-odd.txt"),
    ("data --data captions.txt", "data captions.txt"),
    ("data --examples 1 captions.txt", "data captions.txt --examples 1"),
    ("compare --runs a b", "compare a b"),
    ("compare --run a --run b", "compare a b"),
    ("run --overwrite", "run --overwrite true"),
    ("run --overwrite --seed 3", "run --seed 3 --overwrite true"),
    ("run --overwrite captions.txt", "run --data captions.txt --overwrite true"),
    ("run --overwrite grammar", "run --data grammar --overwrite true"),
    ("run --overwrite false", "run"),
    ("run --overwrite=no", "run"),
    ("run --pretrain.early_stopping off", "run --pretrain.early_stopping false"),
    ("run --resume --output_dir x", "run --resume true --output_dir x"),
    ("evaluate --run x --reverse_perplexity", "evaluate --run x --reverse_perplexity true"),
    ("run --output-dir x --corpus.max-length 30", "run --output_dir x --corpus.max_length 30"),
    ("run --trackers wandb,trackio", "run --trackers [wandb,trackio]"),
    ("run --trackers tensorboard wandb grammar", "run grammar --trackers [tensorboard,wandb]"),
    ("run --trackers ''", "run --trackers []"),
    ("run --evaluation.temperatures 0.8 1.0 1.2", "run --evaluation.temperatures [0.8,1.0,1.2]"),
    ("run --evaluation.temperatures 0.8,1", "run --evaluation.temperatures [0.8,1.0]"),
    ("run --rewards random captions.txt", "run --data captions.txt --rewards [random]"),
    ("run --rewards random", "run --rewards '[{name: random, weight: 1}]'"),
    ("run --rewards random --seed 3", "run --rewards [random] --seed 3"),
]


@pytest.mark.parametrize(("typed", "meant"), SAME, ids=[typed for typed, _ in SAME])
def test_what_was_meant_is_done(typed, meant):
    command, *arguments = shlex.split(typed)
    found = parse(command, arguments)
    command, *arguments = shlex.split(meant)
    assert found == parse(command, arguments) and found is not None


def test_the_values_arrive():
    assert parse("sample", ["runs/demo", "--prefix", "-C", "--number", "3"]).prefix == "-C"
    assert parse("run", ["captions.txt", "--overwrite"]).overwrite is True
    assert parse("run", ["--evaluation.temperatures", "1", ".8"]).evaluation.temperatures == [
        0.8,
        1,
    ]


WRONG = [
    ("sample --run x --prefix --number 5", "--prefix: expects a value, and --number looks like"),
    ("sample --run x --prefix --C", "if it is the value: --prefix=--C"),
    ("sample --run x --prefix -h", "if it is the value: --prefix=-h"),
    ("sample --run x --prefix", "--prefix: expects a value"),
    ("sample runs/demo --run x", "--run is given twice: 'x' and 'runs/demo'; leave one out"),
    ("sample runs/demo 20", "unexpected argument '20': without a flag it takes only RUN"),
    ("data a.txt b.txt", "unexpected argument 'b.txt': without a flag it takes only SOURCE"),
    ("run --overwrite maybe", "--overwrite: 'maybe' is not true or false"),
    ("run --no-overwrite", "unknown flag --no-overwrite (to switch it off: '--overwrite false')"),
    ("run --no_early_stopping", "(to switch it off: '--pretrain.early_stopping false')"),
    ("run --epochs 3", "unknown flag --epochs (did you mean '--pretrain.epochs'?)"),
    ("run --tokenizr words", "(did you mean '--corpus.tokenizer'?)"),
    (
        "run --batch-size 3",
        "(did you mean '--pretrain.batch_size', '--critic.batch_size' or "
        "'--algorithm.batch_size'?)",
    ),
    ("run -data x", "unknown flag -data (did you mean '--data'?)"),
    ("run -n 5", "unknown flag -n"),
    ("sample captions.txt", "captions.txt: no run there", "to train on it: seqgan run "),
    ("finetune captions.txt", "to train on it: seqgan run captions.txt"),
    ("evaluate --run captions.txt", "it is a file, not a folder"),
    ("report runs/demo/checkpoints/finetuned", "did you mean 'runs/demo'?"),
    ("compare captions.txt runs/demo", "captions.txt: no run there"),
    ("run runs/demo", "runs/demo is a folder", "seqgan run --resume runs/demo"),
    ("data runs/demo", "runs/demo is a folder", "seqgan sample runs/demo"),
    ("evaluate captions.txt runs/demo", "runs/demo is a folder", "it holds a run"),
    ("--seed 3 run", "flags follow the command: seqgan run --seed ..."),
    ("rnu captions.txt", "unknown command 'rnu' (did you mean 'run'?)"),
    ("captions.txt", "(did you mean 'seqgan run captions.txt'?)"),
    ("runs/demo", "(did you mean 'seqgan sample runs/demo'?)"),
    ("help rnu", "unknown command 'rnu'"),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_or_the_right_form_is_named(capsys, case):
    fails(capsys, shlex.split(case[0]), *case[1:])


def test_forms_that_are_named_work():
    for form in ("sample --run x --prefix=--C", "sample --run x --prefix=-h"):
        command, *arguments = shlex.split(form)
        assert parse(command, arguments).prefix in ("--C", "-h")
    assert parse("run", ["--pretrain.early_stopping", "false"]).pretrain.early_stopping is False


@pytest.mark.parametrize("words", ["help run", "run help", "-h run", "--help run", "run -h"])
def test_help_of_a_command_before_and_after_it(capsys, words):
    assert cli.main(words.split()) == 0
    assert capsys.readouterr().out.startswith("usage: seqgan run ")


@pytest.mark.parametrize("program", [cli, bench], ids=["seqgan", "seqgan-bench"])
def test_help_and_version_of_both_programs(capsys, program):
    for words in (["help"], ["--help"], ["-h"]):
        assert program.main(words) == 0
        assert "commands:" in capsys.readouterr().out
    for words in (["--version"], ["version"], ["-V"], ["run", "--version"]):
        assert program.main(words) == 0
        assert capsys.readouterr().out.startswith("seqgan-toolkit ")
    for name in program.COMMANDS:
        assert program.main([name, "--help"]) == 0
        assert "--config" in capsys.readouterr().out


def test_every_command_names_its_arguments_without_a_flag(capsys):
    for name, about in COMMANDS.items():
        words = about.words
        assert {*words.names, *words.files} <= {*every_setting(about.settings)}
        assert cli.main([name, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert words.native or f"An argument without a flag is --{words.names[0]}." in shown


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_text_may_begin_with_a_dash_and_every_switch_stands_alone(command):
    words = COMMANDS[command].words
    known = every_setting(COMMANDS[command].settings)
    typed = ["x", "y"][: 1 + words.many] if words.native else []
    expected: dict[str, object] = {}
    for name, setting in known.items():
        if name == words.native:
            continue
        if setting.hint is bool:
            typed.append(f"--{name}")
            expected[name] = True
        elif setting.hint in (str, str | None):
            typed += [f"--{name}", "-C(=O)"]
            expected[name] = "-C(=O)"
    # before the settings check the values
    line = arranged(typed, known, words, command)
    found = _parsed(command, line, list(known.values()), words)
    for name, value in expected.items():
        at = found
        for part in name.split("."):
            at = at[part]
        assert at == value, name
    assert expected or command == "compare"


def test_the_benchmarks_read_their_arguments_alike(capsys):
    from benchmarks.settings import RunSettings, TableSettings

    def read(kind, positional, *arguments):
        return parse_settings("seqgan-bench x", kind, list(arguments), "", positional)

    found = read(RunSettings, "suites", "--output-dir", "-odd", "oracle20", "grammar", "--jobs=2")
    assert found.suites == ["oracle20", "grammar"] and found.output_dir == "-odd"
    assert read(RunSettings, "suites", "--suites", "a", "b", "--seeds", "1").suites == ["a", "b"]
    assert read(TableSettings, "results", "r", "--pages", "a.md").pages == ["a.md"]
    with pytest.raises(ConfigError, match=r"unexpected argument 'b': .* only RESULTS"):
        read(TableSettings, "results", "a", "b")
    assert bench.main(["tabel", "x"]) == 2
    assert "(did you mean 'table'?)" in capsys.readouterr().err
    assert bench.main(["list", "x"]) == 2
    assert "unexpected argument 'x': it takes flags" in capsys.readouterr().err


def test_near_flags():
    flags = ["--data", "--a.rate", "--b.rate", "--a.switch"]
    assert near_flag("--dat", flags) == " (did you mean '--data'?)"
    assert near_flag("--rate", flags) == " (did you mean '--a.rate' or '--b.rate'?)"
    assert near_flag("--no-switch", flags) == " (to switch it off: '--a.switch false')"
    assert near_flag("--swich", flags) == " (did you mean '--a.switch'?)"
    assert near_flag("--zzz", flags) == ""


def test_commands_are_found():
    commands = ("run", "sample")
    assert chosen_command("p", ["run", "x"], commands, "run") == ("run", ["x"])
    assert chosen_command("p", [], commands, "run") == ("--help", [])
    assert chosen_command("p", ["help", "sample"], commands, "run") == ("sample", ["--help"])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"GOMP_SPINCOUNT": SPINS}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_threads_get_along_with_other_programs(given, wanted):
    environment = dict(given)
    share_cores(environment)
    assert environment == wanted


def test_torch_is_loaded_after_the_threads_are_told():
    code = (
        "import os, sys; os.environ.pop('GOMP_SPINCOUNT', None); import seqgan.cli.main as m; "
        "assert 'torch' not in sys.modules; m.main(['--version']); "
        "print(os.environ['GOMP_SPINCOUNT'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == SPINS
