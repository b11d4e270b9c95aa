"""What users get wrong ends in one clear line, exit code 2, no traceback, and nothing written.

Each case is a command as it would be typed in the folder that `workplace` makes, and what its
message must hold: what is wrong, where, and what to do.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqgan.cli import commands
from seqgan.cli.main import main
from seqgan.config import BiLSTM
from seqgan.errors import SeqganError
from seqgan.models import make_discriminator, save_model
from seqgan.pipeline import running
from seqgan.runs.checkpoints import SUMS, checksum
from seqgan.training import fine_tuning

from ...small import ids
from ..failing import fails, listing
from ..tiny import without_report

LINES = "".join(
    f"a {kind} {being} sits on the {place} .\n"
    for kind in ("red", "blue", "green", "old", "new", "small")
    for being in ("cat", "dog", "bird", "horse")
    for place in ("mat", "sofa", "roof", "bench")
)
FILES: dict[str, str | bytes] = {
    "captions.txt": LINES,
    "empty.txt": b"",
    "mark.txt": b"\xef\xbb\xbf",
    "blank.txt": "\n\n \n\t\n",
    "one.txt": "one line only\n",
    "two.txt": "one line\nanother line\n",
    "binary.txt": bytes(range(256)) * 10,
    "nul.txt": b"a b\nc \x00 d\n",
    "latin.txt": LINES.encode() + "café\n".encode("latin-1"),
    "utf16.txt": LINES.encode("utf-16"),
    "noise.txt.gz": b"not gzip",
    "bad.jsonl": '{"text": "a b"}\nnot json\n',
    "lacks.jsonl": '{"text": "a b"}\n{"txt": "c"}\n',
    "number.jsonl": '{"text": 3}\n',
    "list.jsonl": "[1]\n",
    "table.csv": "id,text\n1,a b\n2,c d\n",
    "ragged.csv": "id,text\n1,a,b\n",
    "list.yaml": "- a\n- b\n",
    "word.yaml": "hello\n",
    "empty.yaml": "",
    "binary.yaml": bytes(range(256)),
    "newer.yaml": "config_format: 99\n",
    "former.yaml": "config_format: 1\npreset: smoke\ndiscriminate:\n  steps: 10\n",
    "typo.yaml": "pretrain:\n  epoch: 3\n",
    "top.yaml": "sead: 3\n",
    "open.yaml": "a: [1\n",
    "object.yaml": "data: !!python/object/apply:os.getcwd []\n",
    "group.yaml": "pretrain: 3\n",
    "many.yaml": "pretrain:\n  epochs: many\n",
    "noise.npz": b"noise",
}
DATA = [
    ("--data missing.txt", "--data: missing.txt: no such file", "grammar, oracle, wordnet"),
    ("--data caption.txt", "no such file", "did you mean 'captions.txt'?"),
    ("--data gramar", "did you mean 'grammar'?"),
    ("--data ''", "--data: an empty name"),
    ("--data empty.txt", "empty.txt is empty"),
    ("--data mark.txt", "mark.txt is empty"),
    ("--data blank.txt", "blank.txt: all of its 4 lines are empty"),
    ("--data one.txt", "one.txt: 1 line, 1 distinct: 10 distinct ones are the fewest", "give more"),
    ("--data two.txt", "two.txt: 2 lines, 2 distinct: 10", "2 for validation, 4 held out, 2 to"),
    ("--data binary.txt", "binary.txt, line 1: holds a NUL byte"),
    ("--data nul.txt", "nul.txt, line 2: holds a NUL byte"),
    ("--data latin.txt", "latin.txt, line 97: is not UTF-8", "iconv -f Latin-1 -t UTF-8"),
    ("--data utf16.txt", "utf16.txt, line 1: is not UTF-8", "iconv -f UTF-16 -t UTF-8"),
    ("--data runs", "runs is a folder; name a file in it"),
    ("--data noise.txt.gz", "cannot read noise.txt.gz", "Not a gzipped file"),
    ("--data bad.jsonl --corpus.field text", "bad.jsonl, line 2: is not JSON"),
    ("--data lacks.jsonl --corpus.field text", "lacks.jsonl, line 2: has no field 'text'"),
    (
        "--data lacks.jsonl",
        "name the field that holds the text: --corpus.field NAME (fields: text)",
    ),
    ("--data number.jsonl --corpus.field text", "number.jsonl, line 1", "not a string but int"),
    ("--data list.jsonl --corpus.field text", "list.jsonl, line 1: is not a JSON object"),
    ("--data table.csv --corpus.column txt", "no column 'txt'", "id, text", "mean 'text'?"),
    ("--data table.csv", "name the column that holds the text: --corpus.column NAME"),
    ("--data ragged.csv --corpus.column text", "ragged.csv, line 2: has 3 columns, the header 2"),
    ("--data captions.txt --corpus.column text", "--corpus.column text: no .csv or .tsv file"),
    ("--data captions.txt --test_data missing.txt", "there is no file missing.txt"),
    ("--data captions.txt --test_data one.txt", "one.txt: 1 line; the test split needs 2"),
    ("--data captions.txt --validation_data empty.txt", "empty.txt is empty"),
    (
        "--data captions.txt --corpus.max_vocabulary 3",
        "max_vocabulary: 3 is fewer than",
    ),
    ("--data captions.txt --corpus.max_vocabulary -1", "--corpus.max_vocabulary: -1 is below 0"),
    (
        "--data captions.txt --corpus.min_count 500",
        "--corpus.min_count asks: --corpus.tokenizer",
    ),
    ("--data captions.txt --corpus.max_length 3", "none of 96 lines is left", "has 9 tokens"),
    ("--data captions.txt --corpus.num_train 1", "--corpus.num_train: 1 is too few to train on"),
    ("--data captions.txt --corpus.validation_share 0", "raise --corpus.validation_share"),
    ("--data captions.txt --corpus.tokenizer wrods", "tokenizer: 'wrods'", "did you mean 'words'?"),
    ("--data captions.txt --corpus.tokenizer integers", "captions.txt, line 1: 'a' is not a whole"),
    ("--data captions.txt --corpus.tokenizer no.json", "tokenizer: there is no file no.json"),
    ("--data captions.txt --corpus.tokenizer no.where:X", "cannot import 'no.where'"),
    ("--data oracle --corpus.parameters no.npz", "no.npz: there is no such file"),
    ("--data oracle --corpus.parameters noise.npz", "noise.npz: cannot be read"),
    ("--data oracle --corpus.vocabulary 1", "--corpus.vocabulary: 1 is below 2"),
    ("--data oracle --test_data captions.txt", "--test_data: oracle brings its own splits"),
]
SETTINGS = [
    ("--algorithm.rollouts 1000000", "--algorithm.rollouts: 1,000,000 is above 10,000"),
    ("--pretrain.batch_size 10000000", "--pretrain.batch_size: 10,000,000 is above 100,000"),
    ("--pretrain.batch_size 0", "--pretrain.batch_size: 0 is below 1"),
    ("--evaluation.num_samples 100000000", "num_samples: 100,000,000 is above 10,000,000"),
    ("--evaluation.num_samples 1", "--evaluation.num_samples: 1 is below 2"),
    ("--corpus.num_train 1000000000", "num_train: 1,000,000,000 is above 100,000,000"),
    ("--corpus.num_train 100000000", "num_train: 100,000,000 is above 10,000,000"),
    ("--corpus.num_test 0", "--corpus.num_test: 0 is below 4"),
    ("--corpus.max_length 1000000000", "--corpus.max_length: 1,000,000,000 is above 20,000,000"),
    ("--pretrain.epochs 1000000000000", "--pretrain.epochs: 1,000,000,000,000 is above 1,000,000"),
    ("--generator.hidden 10000000", "--generator.hidden: 10,000,000 is above 100,000"),
    (
        "--pretrain.optimizer.learning_rate -1",
        "--pretrain.optimizer.learning_rate: -1.0 is not above 0 and below 10",
    ),
    (
        "--algorithm.optimizer.learning_rate -1",
        "--algorithm.optimizer.learning_rate: -1.0 is not above 0",
    ),
    (
        "--pretrain.optimizer.learning_rate nan",
        "--pretrain.optimizer.learning_rate: 'nan' is not a number",
    ),
    ("--pretrain.epochs many", "--pretrain.epochs: 'many' is not a whole number"),
    ("--overwrite maybe", "--overwrite: 'maybe' is not true or false"),
    ("--evaluation.temperatures 1.0", "--evaluation.temperatures: [1.0] must be two or more"),
    ("--evaluation.temperatures [0,1]", "--evaluation.temperatures: [0.0, 1.0] must be two"),
    ("--evaluation.temperatures [0.5,0.8]", "must contain 1.0, the models as trained"),
    ("--seed -1", "--seed: -1 is not in"),
    ("--device tpu", "--device: 'tpu' is none of"),
    ("--data captions.txt --corpus.too_long cut", "--corpus.too_long: 'cut' is none of error"),
    ("--algorithm.baseline meen", "did you mean 'mean'?"),
    ("--trackers [tensorbord]", "--trackers: 'tensorbord' is none of", "mean 'tensorboard'?"),
    ("--trackers wandbb", "--trackers: 'wandbb' is none of", "did you mean 'wandb'?"),
    ("--dta captions.txt", "unknown flag --dta (did you mean '--data'?)"),
    ("--pretrain.epoch 3", "unknown flag --pretrain.epoch (did you mean '--pretrain.epochs'?)"),
    ("--size quik", "--size: 'quik' is none of", "did you mean 'quick'?"),
    ("--size", "--size: expects a value"),
    ("--corpus 3", "--corpus: a group of settings, each set by --corpus.NAME VALUE"),
    ("extra", "--data: extra: no such file"),
    ("--config missing.yaml", "--config: missing.yaml: No such file or directory"),
    ("--config runs", "--config: runs: not a file"),
    ("--config list.yaml", "list.yaml: a list, not a mapping of settings", "--print_config"),
    ("--config word.yaml", "word.yaml: a str, not a mapping of settings"),
    ("--config empty.yaml", "empty.yaml", "not a mapping of settings"),
    ("--config binary.yaml", "binary.yaml: not a text file in UTF-8"),
    ("--config newer.yaml", "newer.yaml: config_format: 99", "written by another version"),
    ("--config former.yaml", "former.yaml: config_format: 1: ", "written by version 0.1, which"),
    ("--config typo.yaml", "typo.yaml: unknown setting 'pretrain.epoch' (did you mean 'epochs'?)"),
    ("--config top.yaml", "top.yaml: unknown setting 'sead' (did you mean 'seed'?)"),
    ("--config open.yaml", "open.yaml, line 2: not plain YAML"),
    ("--config object.yaml", "not plain YAML"),
    ("--config group.yaml", "group.yaml: --pretrain: 3 is not a group of settings"),
    ("--config many.yaml", "many.yaml: --pretrain.epochs: 'many' is not a whole number"),
    ("--output_dir ''", "--output_dir: an empty name"),
    ("--output_dir runs/good", "runs/good already holds a run", "replace it with --overwrite"),
    ("--output_dir runs", "runs is not empty and holds no run; choose another folder"),
    ("--output_dir captions.txt", "captions.txt is a file, not a folder"),
    ("--output_dir captions.txt/run", "--output_dir: captions.txt/run: Not a directory"),
]
RUNS = [
    ("finetune", "--run: expects the folder of a pretrained run"),
    ("finetune --run missing", "missing: no run there (no config.yaml)"),
    ("finetune --run runs", "runs: no run there"),
    ("finetune --run runs/truncated --output_dir new", "damaged: generator.safetensors"),
    ("finetune --run runs/narrow --output_dir new", "does not fit generator.json"),
    ("finetune --run runs/judge --output_dir new", "a BiLSTMDiscriminator, not a generator"),
    ("finetune --run runs/newer --output_dir new", "runs/newer/config.yaml: config_format: 7"),
    ("finetune --run runs/former --output_dir new", "runs/former/config.yaml: config_format: 1",
     "version 0.1, which still reads"),
    ("finetune --run runs/old-model --output_dir new", "not a model of format 2", "version 0.1"),
    ("finetune --run runs/list --output_dir new", "config.yaml: not a mapping of settings"),
    ("finetune --run runs/unknown --output_dir new", "config.yaml: unknown setting 'wibble'"),
    ("finetune --run runs/moved --output_dir new", "is not what the run at runs/moved was"),
    ("finetune --run runs/good --generator.hidden 64 --output_dir new", "of other settings"),
    ("finetune --run runs/good --output_dir runs/good", "already holds a run"),
    ("sample", "missing: --run; see seqgan sample --help"),
    ("sample --run missing", "missing: no run there (no config.yaml)"),
    ("sample --run captions.txt", "captions.txt: no run there"),
    ("sample --run runs/goood", "runs/goood: no run there", "did you mean 'runs/good'?"),
    ("sample --run runs/truncated", "damaged: generator.safetensors does not match its checksum"),
    ("sample --run runs/narrow", "does not fit generator.json (parameters of other shapes)"),
    ("sample --run runs/judge", "generator.json: a BiLSTMDiscriminator, not a generator"),
    ("sample --run runs/other", "vocabulary.json:", "it was trained with another vocabulary"),
    ("sample --run runs/wordless", "vocabulary.json: no such file"),
    ("sample --run runs/bare", "the run has no checkpoint 'mle' yet"),
    ("sample --run runs/old-model", "not a model of format 2; version 0.1 reads it"),
    ("run --resume runs/former", "runs/former/config.yaml: config_format: 1", "version 0.1"),
    ("report --run runs/former", "runs/former/config.yaml: config_format: 1", "version 0.1"),
    ("sample --run runs/good --prefix 'zebra xyzzy'", "--prefix: 'zebra' is not in the vocabulary"),
    ("sample --run runs/good --prefix 'a dgo'", "--prefix: 'dgo'", "did you mean 'dog'?"),
    ("sample --run runs/good --prefix '" + "a " * 40 + "'", "40 tokens leave nothing to generate"),
    ("sample --run runs/good --number 100000000", "--number: 100,000,000 is not in 1 .. 10,000,"),
    ("sample --run runs/good --temperature 0", "--temperature: 0.0 is not above 0"),
    ("sample --run runs/good --top_p nan", "--top_p: 'nan' is not a number"),
    ("sample --run runs/good --top_k some", "--top_k: 'some' is not a whole number"),
    ("sample --run runs/good --model fine", "--model: 'fine' is none of finetuned, mle"),
    ("sample --run runs/good --device gpu", "--device: 'gpu' is none of"),
    ("sample --run runs/good --output captions.txt", "--output: captions.txt exists already"),
    ("sample --run runs/good --output captions.txt/x", "captions.txt is a file, not a folder"),
    ("sample --run runs/good --output ''", "--output: an empty name"),
    ("sample --run runs/good --tokenizer wrods", "--tokenizer: 'wrods'", "mean 'words'?"),
    ("evaluate", "expected either --run DIR, or --samples FILE and --references FILE"),
    ("evaluate --run missing", "missing: no run there"),
    ("evaluate --run runs/bare", "the run has no finished model yet"),
    ("evaluate --run runs/truncated", "damaged: generator.safetensors"),
    ("evaluate --run runs/other", "it was trained with another vocabulary"),
    ("evaluate --run runs/moved", "captions.txt is not what the run at runs/moved was trained on"),
    ("evaluate --run runs/good --bleu_tokenizer words", "--bleu_tokenizer goes with --references"),
    ("evaluate --samples captions.txt", "--samples expects --references FILE too"),
    ("evaluate --samples no.txt --references captions.txt", "there is no file no.txt"),
    ("evaluate --samples blank.txt --references captions.txt", "blank.txt: no sequence; two or"),
    ("evaluate --samples one.txt --references captions.txt", "one.txt: 1 sequence; two or more"),
    ("evaluate --samples captions.txt --references nul.txt", "nul.txt, line 2: holds a NUL byte"),
    ("evaluate --samples captions.txt --references captions.txt --bleu_tokenizer wrds",
     "--bleu_tokenizer: 'wrds' is none of", "did you mean 'words'?"),
    ("evaluate --samples captions.txt --references captions.txt --self_bleu_tokenizer integers",
     "captions.txt, line 1: 'a' is not a whole number"),
    ("evaluate --samples captions.txt --references captions.txt --num_samples 500",
     "captions.txt has 96 sequences, --num_samples asks for 500"),
    ("evaluate --samples captions.txt --references captions.txt --resamples 1000000000",
     "--resamples: 1,000,000,000 is above 1,000,000"),
    ("evaluate --samples captions.txt --references captions.txt --output captions.txt",
     "--output: captions.txt exists already"),
    ("compare runs/good", "expected the folders of two runs or more"),
    ("compare runs/good missing", "missing: no run there"),
    ("compare runs/good runs/unfinished", "runs/unfinished: the run is not finished"),
    ("compare runs/good runs/damaged", "runs/damaged/results.json: cannot be read"),
    ("report", "missing: --run"),
    ("report --run missing", "missing: no run there"),
    ("report --run runs/newer", "runs/newer/config.yaml: config_format: 7"),
    ("report --run runs/damaged", "runs/damaged/results.json: cannot be read"),
    ("data", "missing: SOURCE; see seqgan data --help"),
    ("data missing.txt", "--data: missing.txt: no such file"),
    ("data latin.txt", "latin.txt, line 97: is not UTF-8"),
    ("data captions.txt --examples -1", "--examples: -1 is below 0"),
    ("runn", "unknown command 'runn' (did you mean 'run'?)"),
    ("--hlep", "unknown command '--hlep' (did you mean '--help'?)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with files and runs that are wrong in one way each, and a good run."""
    folder = tmp_path_factory.mktemp("errors")
    for name, content in FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        without_report(patch)
        tiny = "--generator.hidden 8 --generator.embedding 8 --evaluation.resamples 10"
        arguments = f"pretrain --data captions.txt --size smoke --corpus.num_train 40 {tiny}"
        assert main([*arguments.split(), "--output_dir", "runs/good"]) == 0
        for name, spoil in SPOILT.items():
            shutil.copytree("runs/good", f"runs/{name}")
            spoil(Path("runs") / name)
    return folder


def _weights(run: Path) -> Path:
    return next((run / "checkpoints").glob("step-*/generator.safetensors"))


def _truncate(run: Path) -> None:
    _weights(run).write_bytes(_weights(run).read_bytes()[:1000])


def _sum_up(checkpoint: Path) -> None:
    """Right checksums for what somebody else has put there."""
    files = sorted(path for path in checkpoint.iterdir() if path.name != SUMS)
    (checkpoint / SUMS).write_text("".join(f"{checksum(f)}  {f.name}\n" for f in files))


def _describe_wider(run: Path) -> None:
    path = _weights(run).with_suffix(".json")
    described = json.loads(path.read_text())
    described["settings"]["hidden"] = 16
    path.write_text(json.dumps(described))
    _sum_up(path.parent)


def _write_format_1(run: Path) -> None:
    path = _weights(run).with_suffix(".json")
    content = {"format": 1, "model": "LSTMGenerator", "arguments": {"hidden": 8}}
    path.write_text(json.dumps(content))
    _sum_up(path.parent)


def _put_discriminator(run: Path) -> None:
    judge = make_discriminator(BiLSTM(embedding=4, hidden=4), ids(30), 0)
    save_model(judge, _weights(run).with_suffix(""))
    _sum_up(_weights(run).parent)


def _drop_words(run: Path) -> None:
    path = run / "vocabulary.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "tokens": content["tokens"][:-4]}))


def _edit_config(old: str, new: str):
    def edit(run: Path) -> None:
        text = (run / "config.yaml").read_text()
        assert old in text
        (run / "config.yaml").write_text(text.replace(old, new))

    return edit


SPOILT = {
    "truncated": _truncate,
    "narrow": _describe_wider,
    "judge": _put_discriminator,
    "other": _drop_words,
    "wordless": lambda run: (run / "vocabulary.json").unlink(),
    "bare": lambda run: shutil.rmtree(run / "checkpoints"),
    "newer": _edit_config("config_format: 2", "config_format: 7"),
    "former": _edit_config("config_format: 2", "config_format: 1\npreset: smoke"),
    "old-model": _write_format_1,
    "list": lambda run: (run / "config.yaml").write_text("- a\n"),
    "unknown": _edit_config("seed: 0", "seed: 0\nwibble: 3"),
    "moved": _edit_config("num_train: 40", "num_train: 39"),
    "unfinished": lambda run: (run / "results.json").unlink(),
    "damaged": lambda run: (run / "results.json").write_text("{"),
}


@pytest.fixture
def here(workplace, monkeypatch) -> Path:
    """The workplace as working folder, where a training that starts by mistake fails."""

    def started(*_, **__):
        raise AssertionError("a training started")

    monkeypatch.chdir(workplace)
    for module, name in ((running, "pretrain"), (fine_tuning, "pretrain_critic")):
        monkeypatch.setattr(module, name, started)
    return workplace


@pytest.mark.parametrize(
    "case",
    [
        *((f"run {case[0]}", *case[1:]) for case in DATA + SETTINGS),
        *(("pretrain --data empty.txt", "empty.txt is empty"),),
        *RUNS,
    ],
    ids=lambda case: case[0][:70],
)
def test_one_clear_line(capsys, here, case):
    command, *fragments = case
    before = listing(here)
    fails(capsys, shlex.split(command), *fragments)
    assert listing(here) == before, "something was written"


def test_a_file_of_its_own_is_never_overwritten(capsys, here, tmp_path):
    taken = tmp_path / "run"
    shutil.copytree(here / "runs" / "good", taken)
    run = ["run", "--output_dir", str(taken), "--overwrite", "true"]
    (taken / "thesis.txt").write_text("years of work")
    fails(capsys, run, "holds 'thesis.txt', which is no part of a run", "would be lost")
    (taken / "config.yaml").unlink()
    fails(capsys, run, "is not empty and holds no run")
    assert (taken / "thesis.txt").read_text() == "years of work"


def test_missing_packages_are_named_with_the_command_that_brings_them(capsys, here, monkeypatch):
    from importlib import util

    before = listing(here)
    absent = ("wandb", "trackio")
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name in absent else found(name))
    for name in absent:
        arguments = ["run", "--data", "captions.txt", "--trackers", f"[tensorboard,{name}]"]
        install = "pip install 'seqgan-toolkit[track]'"
        fails(capsys, arguments, f"needs the package '{name}', which is not installed", install)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    arguments = ["run", "--data", "captions.txt", "--corpus.tokenizer", "list.yaml.json"]
    Path("list.yaml.json").write_text("{}")
    install = "pip install 'seqgan-toolkit[lm]'"
    fails(capsys, arguments, "needs the package 'tokenizers', which is not installed", install)
    Path("list.yaml.json").unlink()
    assert listing(here) == before


@pytest.fixture
def wandb_refuses(monkeypatch):
    from seqgan.training import trackers

    def refuses(self):
        raise RuntimeError("no API key configured")

    monkeypatch.setattr(trackers, "check_trackers", lambda names: None)
    monkeypatch.setattr("seqgan.training.accelerators.check_trackers", lambda names: None)
    monkeypatch.setattr(trackers.WandBTracker, "start", refuses)


def test_a_tracker_that_cannot_start_leaves_nothing(capsys, here, wandb_refuses):
    before = listing(here)
    arguments = "run --data captions.txt --trackers [tensorboard,wandb] --output_dir"
    refused = ("wandb cannot start: no API key", "WANDB_MODE=offline")
    fails(capsys, [*arguments.split(), "new"], *refused)
    assert listing(here) == before
    # nor does it cost a run that was to be replaced
    run = Path("runs/good")
    was = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    fails(capsys, [*arguments.split(), str(run), "--overwrite", "true"], *refused)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == was
    assert set(listing(here)) == set(before)


def test_a_foreign_vocabulary_of_the_same_size_is_noticed(capsys, here, tmp_path):
    run = Path(shutil.copytree("runs/good", tmp_path / "run"))
    place = run / "vocabulary.json"
    content = json.loads(place.read_text())
    content["tokens"][4], content["tokens"][5] = content["tokens"][5], content["tokens"][4]
    place.write_text(json.dumps(content))
    for command in ("sample", "evaluate"):
        fails(capsys, [command, "--run", str(run)], "not the vocabulary that the generator was")
    (run / "codec.json").write_text('{"fingerprint": ')
    fails(capsys, ["sample", "--run", str(run)], "codec.json: cannot be read")


def test_memory_that_does_not_suffice_is_said(capsys, here, monkeypatch):
    message = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"
    for error in (MemoryError(), RuntimeError(message)):

        def raises(*_, error=error):
            raise error

        monkeypatch.setattr(commands, "full_run", raises)
        fails(capsys, ["run"], "out of memory; use smaller batches", "--corpus.max_length")
    monkeypatch.setattr(commands, "full_run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # an error of ours is not dressed up as the user's
        main(["run"])


def test_debug_shows_where_an_error_arose(here):
    with pytest.raises(SeqganError, match="no such file"):
        main(["run", "--data", "nothing.txt", "--debug"])


def test_the_program_itself_ends_with_exit_code_2(here):
    code = "import sys; from seqgan.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--dta", "x"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "seqgan: error: unknown flag --dta (did you mean '--data'?)\n"
