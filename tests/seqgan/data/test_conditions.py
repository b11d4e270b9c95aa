"""Labels and source texts out of files, saved with a run, and asked for by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from seqgan.cli.main import main
from seqgan.config import FileCorpus
from seqgan.data.conditions import Conditions, load_conditions
from seqgan.data.dataset import fingerprint
from seqgan.data.sources import load_data
from seqgan.data.text.vocabulary import EOS, PAD
from seqgan.errors import CheckpointError, ConfigError, DataError
from seqgan.hub import TextGenerator
from seqgan.report.record import read_record
from seqgan.runs.run_directory import RunDirectory

GOOD = [
    f"the {x} film is {y}"
    for x in ("new", "old", "long", "short")
    for y in ("good", "great", "fine")
]
BAD = [
    f"the {x} film is {y}" for x in ("new", "old", "long", "short") for y in ("bad", "dull", "poor")
]
PAIRS = [(text, mood) for texts, mood in ((GOOD, "positive"), (BAD, "negative")) for text in texts]


def corpus(**settings) -> FileCorpus:
    return FileCorpus(**{"tokenizer": "spaces", "min_count": 1, **settings})


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "films.csv"
    path.write_text("text,mood\n" + "".join(f"{text},{mood}\n" for text, mood in PAIRS))
    return path


def jsonl(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels_of_a_table_and_of_json_are_the_same(table, tmp_path):
    lines = jsonl(tmp_path / "films.jsonl", [{"text": x, "mood": y} for x, y in PAIRS])
    ours = load_data(table, corpus(column="text", label="mood"), seed=1)
    theirs = load_data(lines, corpus(field="text", label="mood"), seed=1)
    assert ours.conditions.labels == theirs.conditions.labels == ("negative", "positive")
    assert ours.spec.labels == 2 and ours.spec.condition == ("label",)
    mood = dict(PAIRS)
    for name in ("train", "validation", "heldout", "test"):
        split, other = getattr(ours, name), getattr(theirs, name)
        assert torch.equal(split.condition["label"], other.condition["label"])
        texts = ours.codec.texts(split)
        assert ours.conditions.names(split.condition) == [mood[text] for text in texts]
    assert ours.report_lines[-1].startswith("labels of the training split: negative ")
    plain = load_data(table, corpus(column="text"), seed=1)
    assert plain.train.condition is None and not plain.conditions
    assert fingerprint(plain) != fingerprint(ours)


def test_all_copies_of_a_text_are_in_one_split_whatever_their_labels(tmp_path):
    rows = [{"text": text, "mood": mood} for text in GOOD + BAD for mood in ("a", "b")]
    data = load_data(jsonl(tmp_path / "a.jsonl", rows), corpus(field="text", label="mood"))
    texts = [
        set(data.codec.texts(getattr(data, x))) for x in ("train", "validation", "heldout", "test")
    ]
    assert sum(map(len, texts)) == len(set().union(*texts)) == 24
    for name in ("train", "test"):
        split = getattr(data, name)
        assert sorted(split.condition["label"].tolist()) == [0] * (len(split) // 2) + [1] * (
            len(split) // 2
        )


def test_numbers_and_truth_values_are_labels_too(tmp_path):
    rows = [{"text": text, "stars": i % 2 == 0} for i, text in enumerate(GOOD + BAD)]
    data = load_data(jsonl(tmp_path / "a.jsonl", rows), corpus(field="text", label="stars"))
    assert data.conditions.labels == ("false", "true")


def translations(tmp_path) -> Path:
    rows = [
        {"en": f"{one} {two}", "fr": f"{two.upper()} {one.upper()} !"}
        for one in ("red", "blue", "green", "black")
        for two in ("cat", "dog", "bird", "cow", "hen", "pig")
    ]  # fmt: skip
    rows += [{"en": "red cat", "fr": "UN CAT RED"}] * 3  # other answers to a source
    return jsonl(tmp_path / "pairs.jsonl", rows)


def test_sources_are_encoded_with_a_vocabulary_of_their_own(tmp_path):
    data = load_data(translations(tmp_path), corpus(field="fr", source="en"))
    words = data.conditions.source
    assert "red" in words and "RED" not in words and "RED" in data.codec.vocabulary
    assert data.spec.source_vocab == len(words) and data.spec.source_length == 3
    for name in ("train", "test"):
        split = getattr(data, name)
        tokens, lengths = split.condition["source"], split.condition["source_length"]
        assert tokens.shape == (len(split), 3) and set(lengths.tolist()) == {3}
        assert (tokens[:, 2] == EOS).all() and not (tokens == PAD).any()
        for source, target in zip(
            data.conditions.sources(split.condition), data.codec.texts(split), strict=True
        ):
            one, two = source.split()
            assert {one.upper(), two.upper()} <= set(target.split())
    where = [
        {x for x in data.conditions.sources(getattr(data, name).condition)}
        for name in ("train", "validation", "heldout", "test")
    ]
    assert sum("red cat" in each for each in where) == 1  # all its answers are in one split


def test_long_and_empty_sources_are_dealt_with_as_texts_are(tmp_path):
    rows = [{"a": "x y", "b": f"{i} {j}"} for i in range(5) for j in range(5)]
    rows += [{"a": "x", "b": ""}, {"a": "x", "b": "1 2 3 4 5 6 7"}]
    path = jsonl(tmp_path / "a.jsonl", rows)
    data = load_data(path, corpus(field="a", source="b", max_length=5))
    assert data.report["files"][0]["empty"] == 1 and data.report["files"][0]["too_long"] == 1
    cut = load_data(path, corpus(field="a", source="b", max_length=5, too_long="truncate"))
    assert cut.spec.source_length == 5
    assert bool(cut.train.terminated.all())  # the source was cut, and no text


WRONG = [
    ({"label": "moood", "column": "text"}, r"no column 'moood' \(--corpus.label; .* mean 'mood'"),
    ({"label": "text", "column": "text", "max_vocabulary": 0}, "split has the label .* lacks"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_what_cannot_be_a_label(table, settings, message):
    with pytest.raises(DataError, match=message):
        load_data(table, corpus(**settings))


def test_files_of_lines_have_no_labels(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(GOOD) + "\n")
    with pytest.raises(ConfigError, match="--corpus.label mood: .* is read as lines; it has to be"):
        load_data(path, corpus(label="mood"))
    rows = jsonl(tmp_path / "a.jsonl", [{"text": "a b"}])
    with pytest.raises(DataError, match=r"line 1: has no field 'mood' \(--corpus.label\)"):
        load_data(rows, corpus(field="text", label="mood"))
    empty = jsonl(tmp_path / "b.jsonl", [{"text": "a b", "mood": " "}])
    with pytest.raises(DataError, match=r"line 1: the label is empty"):
        load_data(empty, corpus(field="text", label="mood"))


def test_a_column_with_a_thousand_values_is_no_label(tmp_path):
    rows = jsonl(tmp_path / "a.jsonl", [{"text": "a b", "id": i} for i in range(1_001)])
    with pytest.raises(DataError, match="more than 1,000 labels in 'id'"):
        load_data(rows, corpus(field="text", label="id"))


def test_they_come_back_from_a_folder(tmp_path):
    data = load_data(translations(tmp_path), corpus(field="fr", source="en"))
    data.conditions.save(tmp_path)
    again = load_conditions(tmp_path, data.spec)
    assert again.fingerprint() == data.conditions.fingerprint()
    asked = again.asked(None, ["red cat", "green hen"])
    assert again.sources(asked) == ["red cat", "green hen"]
    assert (
        load_conditions(tmp_path, data.spec._replace(source_vocab=0, source_length=0))
        == Conditions()
    )
    content = json.loads((tmp_path / "conditions.json").read_text())
    (tmp_path / "conditions.json").write_text(json.dumps({**content, "labels": ["x"]}))
    with pytest.raises(CheckpointError, match=r"conditions.json: of another generator"):
        load_conditions(tmp_path, data.spec)
    (tmp_path / "conditions.json").unlink()
    with pytest.raises(CheckpointError, match="without it labels have no names"):
        load_conditions(tmp_path, data.spec)


def test_questions_that_make_no_sense():
    moods = Conditions(("negative", "positive"))
    for label, message in (
        (None, "asked for a label: one of negative, positive"),
        ("positiv", "mean 'positive'"),
    ):
        with pytest.raises(ConfigError, match=message):
            moods.asked(label, None)
    with pytest.raises(ConfigError, match="--source: the model was trained without source texts"):
        moods.asked("positive", ["a"])
    with pytest.raises(ConfigError, match="--condition: 'x': the model was trained without labels"):
        Conditions().asked("x", None)


def test_the_whole_path_with_labels(table, tmp_path, capsys, monkeypatch):
    """A run on labelled text: both networks read the label, and samples are asked for by it."""
    monkeypatch.setattr("seqgan.pipeline.finishing.write_report", lambda run: run.path)
    run = tmp_path / "run"
    flags = (
        "--corpus.column text --corpus.label mood --corpus.min_count 1 --corpus.tokenizer spaces "
        "--size smoke --pretrain.epochs 60 --pretrain.batch_size 8 --generator.dropout 0 "
        "--pretrain.optimizer.learning_rate 0.02 --pretrain.early_stopping false "
        "--adversarial.rounds 2 --critic.steps 4 --evaluation.num_samples 20 "
        "--evaluation.sweep_samples 20 --evaluation.resamples 10"
    ).split()
    assert main(["run", str(table), *flags, "--output_dir", str(run)]) == 0
    asked = (run / "samples" / "mle.asked").read_text().splitlines()
    assert len(asked) == len((run / "samples" / "mle.txt").read_text().splitlines())
    shown = read_record(RunDirectory.open(run)).samples["mle"]
    assert shown[0].startswith(f"[{asked[0]}] ") and set(asked) <= {"positive", "negative"}
    moods = {"positive": {"good", "great", "fine"}, "negative": {"bad", "dull", "poor"}}
    for mood, words in moods.items():
        capsys.readouterr()
        assert (
            main(
                [
                    "sample",
                    str(run),
                    "--number",
                    "30",
                    "--condition",
                    mood,
                    "--jsonl",
                    "--model",
                    "mle",
                ]
            )
            == 0
        )
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {row["label"] for row in rows} == {mood} and len(rows) == 30
        right = [bool(words & set(row["text"].split())) for row in rows]
        assert sum(right) >= 25
    assert main(["sample", str(run)]) == 2
    assert "--condition: the model is asked for a label: one of negative" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--references", str(table), "--corpus.column", "text"]) == 2
    assert "--references: the models of" in capsys.readouterr().err
    model = TextGenerator.from_run(run)
    model.save_pretrained(tmp_path / "model")
    again = TextGenerator.from_pretrained(tmp_path / "model")
    assert again.sample(4, condition="positive") == model.sample(4, condition="positive")
    assert len(again.sample(3, condition="positive", beams=4)) == 3


def test_each_file_is_a_task(tmp_path):
    for name, texts in (("good.txt", GOOD), ("bad.csv", ["text", *BAD])):
        (tmp_path / name).write_text("\n".join(texts) + "\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "good.csv").write_text("\n".join(["text", *BAD]) + "\n")
    tasks = [str(tmp_path / "bad.csv")]
    data = load_data(tmp_path / "good.txt", corpus(tasks=tasks, column="text"), seed=1)
    assert data.conditions.labels == ("bad", "good")
    for name in ("train", "test"):
        split = getattr(data, name)
        texts = data.codec.texts(split)
        assert data.conditions.names(split.condition) == [
            "good" if text in GOOD else "bad" for text in texts
        ]
    assert (
        sum(len(getattr(data, name)) for name in ("train", "validation", "heldout", "test")) == 24
    )
    twice = corpus(tasks=[str(tmp_path / "more" / "good.csv")])
    with pytest.raises(ConfigError, match="two files are called good"):
        load_data(tmp_path / "good.txt", twice)
    with pytest.raises(ConfigError, match="leave out --validation_data and --test_data"):
        load_data(tmp_path / "good.txt", corpus(tasks=tasks), test_data=tmp_path / "good.txt")
    with pytest.raises(ConfigError, match="both say what the labels are"):
        corpus(tasks=tasks, label="mood")
