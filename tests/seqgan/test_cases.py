"""Small inputs that failed once, where the folder that holds them is there."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest

from benchmarks.files import Found, Use, place_files
from seqgan.cli.main import main
from seqgan.config import ReadingConfig
from seqgan.data.text.readers import read_lines
from seqgan.errors import DataError

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the inputs are not at {CASES}")


def data(capsys, name, *flags):
    """The output of ``seqgan data`` for a case."""
    capsys.readouterr()
    assert main(["data", str(CASES / name), *flags]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """The one line that a command ends in."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_unknown_words_are_counted(capsys):
    printed = data(capsys, "unk.txt")
    assert "180 words like '<unk>' or '<eos>' (read as <unk>)" in printed
    written = (CASES / "unk.txt").read_text().split()
    assert written.count("<unk>") == 180


def test_unknown_words_match_nothing(capsys, tmp_path):
    files = ["--samples", str(CASES / "unk.txt"), "--references", str(CASES / "unk-refs.txt")]
    values = {}
    for name, unk, tokenizer in (("words", "<unk>", "words"), ("spaces", "<unk>", "spaces")):
        cut = ["--bleu_tokenizer", tokenizer, "--self_bleu_tokenizer", tokenizer]
        more = ["--unk", unk, "--resamples", "9", "--output", str(tmp_path / name)]
        assert main(["evaluate", *files, *cut, *more]) == 0
        scores = json.loads((tmp_path / name).read_text())["samples"]
        values[name] = next(score["value"] for score in scores if score["name"] == "bleu-4")
    assert values["words"] == values["spaces"] == pytest.approx(0.411, abs=5e-4)
    capsys.readouterr()
    main(["evaluate", *files, "--unk", "<oov>", "--resamples", "9"])
    assert "--unk <oov>: neither " in capsys.readouterr().out


def test_white_space_around_fields(capsys):
    flags = ("--corpus.column", "smiles", "--corpus.tokenizer", "characters")
    printed = data(capsys, "zinc-like.csv", *flags)
    assert "200 records, header: smiles, logP, 200 with white space around (left out)" in printed


def test_text_that_the_tokenizer_cannot_cut(capsys):
    chinese = CASES / "chinese.txt"
    for command in (["data"], ["run", "--data"]):
        line = refused(capsys, *command, chinese)
        assert "holds no token of the splits validation, heldout, test" in line
        assert "give --corpus.tokenizer characters" in line
    assert "--corpus.tokenizer" not in data(
        capsys, "chinese.txt", "--corpus.tokenizer", "characters"
    )
    line = refused(capsys, "evaluate", "--samples", chinese, "--references", chinese)
    assert "give --corpus.tokenizer characters" in line


def test_tokens_that_the_data_lack_are_never_emitted(tmp_path):
    run, out = tmp_path / "run", tmp_path / "samples.txt"
    music = str(CASES / "music.txt")
    flags = ["--corpus.tokenizer", "integers", "--size", "smoke", "--output_dir", str(run)]
    assert main(["pretrain", "--data", music, *flags]) == 0
    assert main(["sample", "--run", str(run), "--number", "300", "--output", str(out)]) == 0
    known = set((CASES / "music.txt").read_text().split())
    assert set(out.read_text().split()) <= known
    cut = ["--bleu_tokenizer", "integers", "--self_bleu_tokenizer", "integers"]
    arguments = ["evaluate", "--samples", str(out), "--references", music, *cut]
    assert main([*arguments, "--resamples", "9"]) == 0
    cut = ["--corpus.tokenizer", "integers", "--resamples", "9"]
    assert main([*arguments[:5], *cut]) == 0


def test_lines_of_a_packed_file_are_records(tmp_path):
    found = Found({"text": CASES / "lines.txt.gz"}, ())
    placed = place_files({"data": Use("text", (1, 200))}, found, tmp_path, ReadingConfig())
    wanted = (CASES / "lines.txt").read_text().splitlines()[:200]
    assert [record.text for record in read_lines(placed["data"])] == wanted
    with pytest.raises(DataError, match="300 records, and 1 to 301 are asked for"):
        place_files({"data": Use("text", (1, 301))}, found, tmp_path, ReadingConfig())


def test_a_smiles_file(capsys):
    printed = data(capsys, "molecules.smi")
    assert "200 records, header: SMILES, ID, 1 comment lines (skipped)" in printed
    assert "cannot be cut at blanks" in printed and "--corpus.tokenizer characters" in printed
    assert "--corpus.tokenizer" not in data(
        capsys, "molecules.smi", "--corpus.tokenizer", "characters"
    )


def test_a_table_without_a_header(capsys):
    line = refused(capsys, "data", CASES / "noheader.csv", "--corpus.column", "3")
    assert "is this the name of a column, or its place" in line
    printed = data(capsys, "noheader.csv", "--corpus.column_number", "3")
    assert "100 records, no header" in printed and "some news text number" in printed


def test_padding_is_pointed_out(capsys):
    flags = ("--corpus.tokenizer", "integers")
    assert "--corpus.padding 99 leaves it out" in data(capsys, "padded-integers.txt", *flags)
    printed = data(capsys, "padded-integers.txt", *flags, "--corpus.padding", "99")
    assert "200 with padding (left out)" in printed and " 99" not in printed


def test_one_line_many_times(capsys):
    for command in (["data"], ["run", "--data"]):
        line = refused(capsys, *command, CASES / "sameline.txt")
        assert "sameline.txt: 500 lines, 1 distinct" in line


def test_a_table_is_evaluated_with_the_flags_that_are_advised(capsys):
    smiles = CASES / "smiles.csv"
    files = ["evaluate", "--samples", smiles, "--references", smiles]
    line = refused(capsys, *files)
    assert "--corpus.column NAME (columns: SMILES, SPLIT)" in line
    line = refused(capsys, *files, "--corpus.column", "SMILES")
    assert "give --corpus.tokenizer characters" in line
    advised = ["--corpus.column", "SMILES", "--corpus.tokenizer", "characters"]
    assert main([*map(str, files), *advised, "--resamples", "9"]) == 0
    assert "tok" not in capsys.readouterr().err


def test_programs(tmp_path, monkeypatch):
    """Programs of the cases: nested dicts as settings, environments made by stable-baselines3."""
    shutil.copy(CASES / "lines.txt", tmp_path)
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr("seqgan.pipeline.run", seen.append)
    runpy.run_path(str(CASES / "config-dict.py"))
    assert seen[0].corpus.tokenizer == "words" and seen[0].data == "lines.txt"
    pytest.importorskip("stable_baselines3", reason="stable-baselines3 (extra [rl]) is missing")
    runpy.run_path(str(CASES / "make-vec-env.py"))


@pytest.mark.slow
def test_a_size_adapts_to_a_small_file(tmp_path):
    lines, run = str(CASES / "lines.txt"), str(tmp_path / "run")
    assert main(["data", lines]) == 0
    assert main(["run", "--data", lines, "--size", "smoke", "--output_dir", run]) == 0
