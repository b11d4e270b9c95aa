"""The arms of the ratio and its controls: chosen by name, with their compute."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks import arms, prepared, starts
from benchmarks.arm_names import named_arms
from benchmarks.cell import CellJob
from benchmarks.cli import main
from benchmarks.estimate import estimate
from benchmarks.kept import kept
from benchmarks.results import CellPlace, read_arm, read_results
from benchmarks.suite_files import load_suite
from benchmarks.tables import make_tables
from seqgan.errors import ConfigError, DataError
from seqgan.models import load_generator

from .test_harness import TINY

ARMS = (
    "mle,ratio,ratio-random,members-distilled,mle-best,mle-averaged,mle-continued-plain,mle-larger,"
    "ensemble-minimum"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("arms")
    suite = {key: value for key, value in TINY.items() if key not in ("methods", "metrics")}
    suite["sizes"]["smoke"]["ensemble"] = {"size": 2}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(suite))
    command = ["run", str(folder / "tiny.yaml"), "--size", "smoke", "--arms", ARMS]
    assert main([*command, "--output_dir", str(folder / "out")]) == 0
    return folder / "out"


def test_the_named_arms_and_no_others(results):
    found = {result["arm"]: result for result in read_results(results)}
    assert set(found) == set(ARMS.split(","))
    assert found["ensemble-minimum"]["kind"] == "ceiling"
    assert found["ratio"]["against_control"]["label"]


def test_compute_counts_the_start_the_members_and_the_rest(results):
    compute = {result["arm"]: result["compute"] for result in read_results(results)}
    one = compute["mle"]["tokens"]
    assert one == 60 * 5  # an epoch
    assert compute["mle-best"]["tokens"] == compute["ensemble-minimum"]["tokens"] == 4 * one
    assert compute["mle-continued-plain"]["tokens"] == 2 * one
    assert compute["mle-larger"]["tokens"] == one
    # MLE, three members, and a round of two steps of 8 samples of 5 tokens
    assert compute["ratio"]["tokens"] == 4 * one + 2 * 8 * 5
    # 6 operations per token and parameter; the larger model has more of them for as many tokens.
    model = load_generator(results / "tiny" / "smoke" / "seed-0" / "model" / "generator", "cpu")
    each = 6 * sum(parameter.numel() for parameter in model.parameters())
    for name in ("mle", "mle-best", "mle-continued-plain", "ratio"):
        arm = compute[name]
        assert arm["operations"] == arm["tokens"] * each
    assert compute["mle-larger"]["operations"] > 20 * compute["mle"]["operations"]
    trained = ("ratio", "members-distilled", "mle-averaged", "mle-continued-plain", "mle-larger")
    assert all(compute[name]["seconds"] > 0 for name in trained)


def test_members_are_trained_once_and_kept(results):
    cell = results / "tiny" / "smoke" / "seed-0"
    kept = sorted(path.name for path in (cell / "members").iterdir())
    assert kept == ["1", "2", "3"]
    assert json.loads((cell / "members" / "1" / "training.json").read_text())["tokens"] == 300


def test_an_arm_is_measured_again_without_its_training(results, monkeypatch):
    """Only times may differ; what was trained lies beside the results."""
    cell = results / "tiny" / "smoke" / "seed-0"
    assert {"ratio", "ratio-random"} <= {path.name for path in (cell / "policies").iterdir()}
    before = {name: read_arm(cell / f"{name}.json") for name in ("ratio", "ratio-random")}

    def train(*args):
        raise AssertionError("trained again")

    monkeypatch.setattr(arms.Lab, "_trained", train)
    monkeypatch.setattr(arms.Lab, "_control", train)
    monkeypatch.setattr(starts.Starts, "_member", train)
    for name in before:
        (cell / f"{name}.json").unlink()
    suite = results.parent / "tiny.yaml"
    command = ["run", str(suite), "--size", "smoke", "--arms", "ratio,ratio-random"]
    assert main([*command, "--output_dir", str(results)]) == 0
    for name, old in before.items():
        new = read_arm(cell / f"{name}.json")
        for key in ("scores", "sweep", "verdict", "compute", "curves", "config"):
            assert new[key] == old[key]


def test_a_model_of_other_settings_is_refused(results):
    place = results / "tiny" / "smoke" / "seed-0" / "members" / "1"
    with pytest.raises(ConfigError, match=r"trained with other settings or data \(seed\)"):
        kept(place, {"seed": 7}, "cpu", lambda: None)


def test_compute_stands_beside_the_scores(results):
    (table,) = [t for t in make_tables(read_results(results)) if t.name == "tiny-smoke"]
    assert table.columns[-3:] == ["training tokens, M", "training operations, T", "training, min"]
    assert all(row[-1] and float(row[-2]) > 0 for row in table.rows)
    old = read_results(results)
    for result in old:  # of an earlier version
        del result["compute"]["operations"]
    (table,) = [t for t in make_tables(old) if t.name == "tiny-smoke"]
    assert table.columns[-2:] == ["training tokens, M", "training, min"]


def test_gains_of_residual_models_keep_their_bounds_over_seeds(results):
    found = read_results(results)

    def with_gain(seed, value, interval):
        score = {"name": "residual-gain", "value": value, "interval": interval, "n": 9,
                 "direction": "higher", "signature": "metric:residual-gain"}  # fmt: skip
        arm = next(each for each in found if each["arm"] == "mle")
        return {**arm, "seed": seed, "scores": [*arm["scores"], score]}

    def cell(rows):
        (table,) = [t for t in make_tables(rows) if t.name == "tiny-smoke"]
        said = any("both bounds of Z" in note for note in table.notes)
        gains = [i for i, name in enumerate(table.columns) if name.startswith("residual gain")]
        assert said is bool(gains)
        return table.rows[0][gains[0]] if gains else None

    first, second = with_gain(0, 0.1, [0.07, 0.11]), with_gain(1, 0.3, [0.28, 0.35])
    assert cell(found) is None
    assert cell([first]) == "0.100 ± 0.030"
    assert cell([first, second]) == "0.200 ± 0.141 [0.070, 0.350]"


def test_an_arm_that_is_not_there_is_refused(capsys):
    assert main(["run", "grammar", "--arms", "mle,ratoi"]) == 2
    assert "--arms: no arm or set 'ratoi' (did you mean 'ratio'?)" in capsys.readouterr().err


def test_sets_name_arms_that_there_are():
    suite = load_suite("grammar")
    known = {arm.name for arm in suite.arms("standard", 0)}
    for name in ("ratio-all", "ratio-few", "ratio-parts"):
        assert named_arms(name, [suite]) <= known


CAPTIONS = [
    f"a {colour} {animal} near the {place}"
    for animal in ("giraffe", "zebra", "cat", "dog", "bear", "horse", "duck", "goose")
    for place in ("lake", "house", "road")
    for colour in ("red", "small", "large", "brown", "grey")
]


@pytest.fixture
def captions(tmp_path, monkeypatch) -> Path:
    """A file of captions of eight animals, of which each split needs one or two."""
    monkeypatch.setattr(prepared, "VALIDATION", 15)
    monkeypatch.setattr(prepared, "TEST", 30)
    monkeypatch.setattr(prepared, "RARE", 0.13)
    path = tmp_path / "captions.txt"
    path.write_text("".join(f"{line}\n" for line in CAPTIONS))
    return path


def four_grams(lines: list[str]) -> list[tuple[str, ...]]:
    rows = [line.split() for line in lines]
    return [gram for row in rows for gram in {tuple(row[i : i + 4]) for i in range(len(row) - 3)}]


def test_a_split_by_family_shares_at_most_a_fifth_of_its_4_grams(captions, tmp_path, capsys):
    made = prepared.families({"captions": captions}, tmp_path)
    splits = {role: Path(file).read_text().splitlines() for role, file in made.items()}
    known = set(four_grams(splits["data"]))
    held = four_grams(splits["test_data"]) + four_grams(splits["validation_data"])
    share = sum(gram in known for gram in held) / len(held)
    assert share <= prepared.MOST_SHARED == 0.2
    assert prepared.main(["families", str(captions)]) == 0
    said = capsys.readouterr().out
    assert f"{len(splits['data'])} training, 15 validation and 30 test captions" in said
    assert f"{share:.1%} of the 4-grams" in said
    at_random = float(said.rsplit("random: ", 1)[1].split("%")[0])
    assert at_random > 50  # what the same captions share if a family is on both sides
    assert prepared.main(["families", "nowhere.txt"]) == 2 == prepared.main(["familie", "x"])
    assert "nowhere.txt: " in capsys.readouterr().err


def test_a_split_that_shares_more_is_refused(captions, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "MOST_SHARED", -1.0)
    with pytest.raises(DataError, match="no split into families brings the shared 4-grams"):
        prepared.families({"captions": captions}, tmp_path)


def test_captions_of_a_family_are_on_one_side(captions, tmp_path):
    path = captions
    first = prepared.families({"captions": path}, tmp_path)
    splits = {role: Path(file).read_text().splitlines() for role, file in first.items()}
    animals = {role: {line.split()[2] for line in lines} for role, lines in splits.items()}
    assert animals["test_data"].isdisjoint(animals["data"] | animals["validation_data"])
    assert len(splits["test_data"]) == 30 and len(splits["validation_data"]) == 15
    assert set().union(*splits.values()) <= set(CAPTIONS)
    again = prepared.families({"captions": path}, tmp_path)
    assert {r: Path(f).read_text().splitlines() for r, f in again.items()} == splits


def test_the_estimate_counts_what_is_left(tmp_path):
    suite = load_suite("grammar")
    names = frozenset(("mle", "ratio", "ratio-random"))
    jobs = [
        CellJob(suite, CellPlace(tmp_path, "grammar", "standard", seed), None, 1, [], names)
        for seed in (0, 1)
    ]
    lines = list(estimate(jobs, 2))
    assert lines[0].startswith("grammar: 2 cells, 6 arms left, about 24 min (12 min per cell)")
    assert lines[1] == "All together about 12 min"
    done = jobs[0].place.arm("ratio")
    done.parent.mkdir(parents=True)
    done.write_text(json.dumps({"format": 1, "arm": "ratio", "wall_seconds": 2000}))
    lines = list(estimate(jobs, 1))  # what was measured here comes first
    assert lines[0].startswith("grammar: 2 cells, 5 arms left, about 39 min")
    assert not list(estimate(jobs[:0], 1))
