"""Cells from the command line to tables: resumed, killed, with parts of the user's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml

from benchmarks.cli import main
from benchmarks.comparing import rivals_table
from benchmarks.pages import named_tables
from benchmarks.results import read_results
from benchmarks.tables import make_tables
from benchmarks.verdict_table import idle_controls, unconverged, verdict_table
from benchmarks.verdicts import against_controls, against_rivals, verdicts
from seqgan.errors import ConfigError
from seqgan.evaluation.significance import estimate, label, practical_size

ROOT = Path(__file__).parents[2]

TINY = {
    "title": "a tiny oracle",
    "config": {
        "data": "oracle",
        "corpus": {"vocabulary": 20, "length": 5, "hidden": 4},
    },
    "sizes": {
        "smoke": {
            "corpus": {"num_train": 60, "num_validation": 40, "num_heldout": 20, "num_test": 40},
            "generator": {"embedding": 6, "hidden": 6},
            "pretrain": {"epochs": 1},
            "discriminator": {"embedding": 4},
            "critic": {"steps": 2, "measure_every": 1},
            "algorithm": {"batch_size": 8, "rollouts": 1},
            "adversarial": {"rounds": 1, "measure_every": 1},
            "evaluation": {"num_samples": 40, "sweep_samples": 40, "resamples": 50},
        }
    },
    "methods": {"mine": {"call": "my_parts:halved", "title": "my own"}},
    "metrics": ["my_parts.small"],
}

PARTS = '''
from seqgan.errors import NonFiniteLossError


def halved(mle, data, config, runtime, power=1):
    """A method: half the output layer's weights."""
    mle.head.weight.data *= 0.5**power
    return mle


def small(samples, data):
    """A metric: small tokens of a sample."""
    return sum(token < 5 for row in samples for token in row) / len(samples)


def broken(mle, data, config, runtime):
    """A method with a mistake."""
    return 1 / (config.seed - config.seed)


def endless(mle, data, config, runtime):
    """A method whose loss explodes."""
    raise NonFiniteLossError("the loss is\\nnan")


def source(config):
    """A source: the oracle, named by another name."""
    from dataclasses import replace

    from seqgan.data.sources import load_data

    return replace(load_data("oracle", config.corpus, seed=config.seed), source="mine")


def no_source(config):
    return 3
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a tiny suite, parts of the user's own, and results of two seeds."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "my_parts.py").write_text(PARTS)
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert run("out", "0,1") == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


def run(output: str, seeds: str = "0", suite: str = "tiny.yaml", *more: str) -> int:
    arguments = ["run", suite, "--size", "smoke", "--seeds", seeds, "--output_dir", output]
    return main([*arguments, *more])


def tables(folder: Path) -> list[str]:
    """A folder's tables without the minutes, which differ from one run to the next."""
    results = read_results(folder)
    for result in results:
        result.get("compute", {})["seconds"] = 0.0
    return [table.markdown() for table in make_tables(results)]


def test_every_arm_is_measured_against_the_same_model(here):
    results = read_results(Path("out"))
    arms = [result["arm"] for result in results if result["seed"] == 0]
    assert arms == [
        *("mle", "mle-continued", "mle-cooled", "seqgan", "seqgan-constant", "seqgan-random"),
        *("seqgan-logodds", "seqgan-logodds-random", "mine", "training-copy", "real"),
    ]
    for result in results:
        names = {score["name"]: score for score in result["scores"]}
        assert "small" in names and "call:my_parts.small" in names["small"]["signature"]
        assert result["environment"]["packages"]["torch"]
        assert result["wall_seconds"] > 0 or result["kind"] != "method"
        assert "git" in result["environment"] and result["environment"]["threads"] >= 1
        assert result["config"]["seed"] == result["seed"] and result["data"]
        assert str(here) not in json.dumps(result)
        if result["kind"] in ("method", "control"):
            verdict = result["verdict"]
            assert verdict["difference"] is None or len(verdict["draws"]) == 50
            assert [p["temperature"] for p in result["sweep"]["test"]] == [0.7, 1.0, 1.4]
    by_name = {r["arm"]: r for r in results if r["seed"] == 0}
    scores = {a: {s["name"]: s["value"] for s in r["scores"]} for a, r in by_name.items()}
    assert scores["training-copy"]["copied"] == 1 and "nll" not in scores["training-copy"]
    assert scores["mle-cooled"]["entropy"] < scores["mle"]["entropy"]
    assert by_name["mle-cooled"]["verdict"]["label"] != "better"
    for method in ("seqgan", "seqgan-logodds"):
        between = by_name[method]["against_control"]
        assert by_name[method]["spread"] > 0
        assert between["difference"] is None or len(between["draws"]) == 50
        assert "against_control" not in by_name[f"{method}-random"]
    assert by_name["mle"]["training"]["state"] == "still improving"
    # a constant reward without a baseline moves the policy, so the control is none in name only
    assert scores["seqgan-constant"]["nll"] != scores["mle"]["nll"]
    begin, end = by_name["seqgan"]["curves"]["validation"]
    assert (begin["round"], end["round"]) == (0, 1)
    # what was paid for the policy: at the end all of it but MLE, in tokens to the digit
    assert 0 < begin["tokens"] < end["tokens"] and 0 < begin["seconds"] <= end["seconds"]
    own = by_name["seqgan"]["compute"]["tokens"] - by_name["mle"]["compute"]["tokens"]
    assert end["tokens"] == own


def test_a_finished_run_is_not_done_again_and_a_half_one_ends_with_the_same(here, capsys):
    shutil.copytree("out", "again")
    kept = Path("again/tiny/smoke/seed-0/mle.json")
    before = kept.stat().st_mtime_ns
    # of the second method the control alone is missing, of the first the method
    for name in ("seqgan", "mle-cooled", "seqgan-logodds-random", "real"):
        Path(f"again/tiny/smoke/seed-0/{name}.json").unlink()
    shutil.rmtree("again/tiny/smoke/seed-1")
    assert run("again", "0,1") == 0
    printed = capsys.readouterr().out
    assert "seed 0: seqgan done" in printed and "seed 0: mle done" not in printed
    assert kept.stat().st_mtime_ns == before
    assert tables(Path("again")) == tables(Path("out"))
    assert run("again", "0,1") == 0
    assert capsys.readouterr().out.count("finished before") == 2


def test_other_settings_do_not_mix(here, capsys):
    other = {**TINY, "sizes": {"smoke": {**TINY["sizes"]["smoke"], "pretrain": {"epochs": 2}}}}
    Path("changed").mkdir()
    Path("changed/tiny.yaml").write_text(yaml.safe_dump(other))
    assert run("out", "0", "changed/tiny.yaml") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "made with other settings (config.pretrain.epochs: 1 there, 2 now)" in error


def test_tables_plots_and_comparisons(here, capsys):
    assert main(["table", "out"]) == 0
    printed = capsys.readouterr().out
    assert "| my own |" in printed and "small" in printed and "± " in printed
    way = r"(mle-\S+; )?(temperature \d|top-p \d|the \d+% of its samples)"
    assert re.search(rf"\| best MLE \| \d\.\d+ ± \d\.\d+ \({way}", printed)
    names = sorted(path.name for path in Path("out/tables").iterdir())
    assert names == [
        *("overview-smoke.csv", "overview-smoke.md", "scores.csv", "tiny-smoke.csv"),
        *("tiny-smoke.md", "verdicts-smoke.csv", "verdicts-smoke.md"),
    ]
    lines = Path("out/tables/scores.csv").read_text().splitlines()
    assert lines[0].startswith("suite,size,seed,arm,kind,metric,direction,value")
    assert len(lines) == 1 + sum(len(r["scores"]) for r in read_results(Path("out")))
    assert main(["plot", "out"]) == 0
    assert len(list(Path("out/plots").glob("tiny-smoke-*.png"))) == 6
    over_all = {path.name for path in Path("out/plots").glob("[pe]*.png")}
    metric = read_results(Path("out"))[1]["verdict"]["metric"]
    # seconds: not where MLE took none that can be told
    seconds = f"efficiency-seconds-{metric}-smoke.png"
    assert over_all - {seconds} == {
        "profiles-distance-smoke.png",
        *(f"efficiency-{cost}-{metric}-smoke.png" for cost in ("tokens", "operations")),
    }  # fmt: skip
    assert main(["compare", "out"]) == 0
    assert "| seqgan | seqgan-constant |" in capsys.readouterr().out
    assert main(["compare", "out", "out"]) == 2
    assert "given twice" in capsys.readouterr().err
    shutil.copytree("out", "copy")
    assert main(["compare", "out", "copy"]) == 0
    rows = [x for x in capsys.readouterr().out.splitlines() if x.startswith("| tiny smoke | mle |")]
    assert len(rows) >= 4 and all("+0.0000 | 1.000" in row for row in rows)


def test_pages_are_filled_from_results(here, capsys):
    page = Path("page.md")
    page.write_text(
        "a\n<!-- table: out/verdicts-smoke -->\nold\n<!-- /table -->\n"
        "<!-- table: others/x -->\nleft\n<!-- /table -->\n"
    )
    assert main(["table", "out", "--pages", '["page.md"]']) == 0
    text = page.read_text()
    assert "old" not in text and "left" in text and "| seqgan | method | tiny |" in text
    assert main(["table", "out", "--pages", '["page.md"]']) == 0
    assert "page.md: unchanged" in capsys.readouterr().out and page.read_text() == text
    page.write_text("<!-- table: out/verdict-smoke -->\n<!-- /table -->\n")
    assert main(["table", "out", "--pages", '["page.md"]']) == 2
    assert "did you mean 'verdicts-smoke'?" in capsys.readouterr().err


def test_parts_of_the_users_own(here, capsys):
    rest = {k: v for k, v in TINY.items() if k != "methods"}
    for name, content, message in (
        ("nosource", {**rest, "source": "my_parts:no_source"}, "returned a int, not a seqgan"),
        (
            "nocall",
            {**rest, "methods": {"m": {"call": "my_parts:smal"}}},
            "did you mean 'small'",
        ),
    ):
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content))
        assert run(name, "0", f"{name}.yaml") == 2
        assert message in capsys.readouterr().err
        assert not Path(name).exists()
    from benchmarks.cell import _config, _data
    from benchmarks.suite_files import load_methods, load_suite

    Path("sourced.yaml").write_text(yaml.safe_dump({**rest, "source": "my_parts:source"}))
    suite = load_suite("sourced.yaml")
    assert _data(suite, _config(suite.settings("smoke", 0), {})).source == "mine"
    Path("methods.yaml").write_text(
        "slow: {config: {algorithm: {optimizer: {learning_rate: 0.1}}}}\n"
    )
    arms = load_suite("tiny.yaml", load_methods("methods.yaml")).arms("smoke", 0)
    assert [arm.name for arm in arms][-5:-2] == ["slow", "slow-constant", "slow-random"]


def test_a_method_that_raises_is_one_line_and_the_others_continue(here, capsys):
    shutil.copytree("out", "raised")
    Path("raising").mkdir()
    methods = {**TINY["methods"], "bad": {"call": "my_parts:broken"}}
    methods["worse"] = {"call": "my_parts:endless"}
    Path("raising/tiny.yaml").write_text(yaml.safe_dump({**TINY, "methods": methods}))
    folder = Path("raised/tiny/smoke")
    (folder / "seed-0" / "real.json").unlink()  # comes after the methods
    assert run("raised", "0,1", "raising/tiny.yaml") == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err and "tiny smoke seed 0: real done" in shown.out
    lines = shown.err.splitlines()
    kept = [
        folder / f"seed-{seed}" / f"{arm}.error.txt" for seed in (0, 1) for arm in ("bad", "worse")
    ]
    zero, nan = "bad: ZeroDivisionError: division by zero", "worse: the loss is nan"
    assert lines == [
        f"failed: tiny smoke seed 0: {zero} (traceback: {kept[0]})",
        f"failed: tiny smoke seed 0: {nan} (traceback: {kept[1]})",
        f"failed: tiny smoke seed 1: {zero} (traceback: {kept[2]})",
        f"failed: tiny smoke seed 1: {nan} (traceback: {kept[3]})",
        f"seqgan-bench: error: {lines[0].removeprefix('failed: ')} (and 3 more failed)",
    ]
    text = kept[0].read_text()
    assert text.startswith("Traceback") and "my_parts.py" in text and "in broken" in text
    assert len(read_results(Path("raised"))) == len(read_results(Path("out")))  # tables as before
    (here / "my_parts.py").write_text(PARTS.replace("1 / (config.seed - config.seed)", "mle"))
    sys.modules.pop("my_parts")
    try:
        assert run("raised", "0", "raising/tiny.yaml") == 2
        assert "bad" not in capsys.readouterr().err and not kept[0].exists()
    finally:
        (here / "my_parts.py").write_text(PARTS)
        sys.modules.pop("my_parts")


def test_an_error_outside_the_arms_is_one_line_too(here, capsys, monkeypatch):
    from benchmarks import running

    def breaks(job, say):
        raise KeyError("tokens")

    monkeypatch.setattr(running, "run_cell", breaks)
    assert run("outside", "0,1") == 2
    line = "tiny smoke seed 0: KeyError: 'tokens' (traceback: outside/tiny/smoke/seed-0/error.txt)"
    error = capsys.readouterr().err.splitlines()
    assert error[0] == f"failed: {line}" and len(error) == 3
    assert error[2] == f"seqgan-bench: error: {line} (and 1 more failed)"
    assert "in breaks" in Path("outside/tiny/smoke/seed-0/error.txt").read_text()


def test_a_worker_that_is_killed_is_one_line(here, capsys, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from benchmarks import running

    class Pool:
        """Stands for processes of which one was killed."""

        def __init__(self, *_, **__): ...

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def submit(self, work, job):
            future = Future()
            future.set_exception(BrokenProcessPool("terminated abruptly"))
            return future

    monkeypatch.setattr(running, "ProcessPoolExecutor", Pool)
    assert run("killed", "0,1", "tiny.yaml", "--jobs", "2") == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert "a worker process was killed" in error and "(and 1 more failed)" in error


def test_long_work_of_a_cell_shows_its_progress(here, monkeypatch, capsys):
    from seqgan.training import progress

    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.0)
    rest = {k: v for k, v in TINY.items() if k != "methods"}
    Path("shown").mkdir()
    Path("shown/tiny.yaml").write_text(yaml.safe_dump(rest))
    shutil.copytree("out", "shown/out")
    shutil.rmtree("shown/out/tiny/smoke/seed-1")
    Path("shown/out/tiny/smoke/seed-0/seqgan.json").unlink()
    shutil.rmtree("shown/out/tiny/smoke/seed-0/model")
    shutil.rmtree("shown/out/tiny/smoke/seed-0/policies")
    assert run("shown/out", "0", "shown/tiny.yaml") == 0
    printed = capsys.readouterr().out
    for done in ("MLE: MLE pretraining: 1/1 epochs", "seqgan: Adversarial: 1/1 rounds"):
        assert re.search(rf"tiny smoke seed 0: {done}, \d:\d\d:\d\d", printed)


def verdict(suite: str, seed: int, difference: float | None, arm: str = "m", control: str = ""):
    """A result as far as verdicts look at it, with draws close to its difference."""
    draws = [] if difference is None else [difference + x * 1e-3 for x in range(-10, 11)] * 50
    return {
        "suite": suite, "size": "smoke", "seed": seed, "arm": arm, "title": arm, "config": {},
        "kind": "control" if control else "method", "control_of": control or None,
        "verdict": {
            "difference": difference, "draws": draws, "metric": "nll", "confidence": 0.95,
            "mle_value": 0.1, "test_set": f"of seed {seed}",
        },
    }  # fmt: skip


def test_verdicts_over_seeds_and_suites():
    results = [verdict("clear", seed, -0.1 - 0.001 * seed) for seed in range(3)]
    results += [verdict("split", seed, x) for seed, x in enumerate([-0.1, 0.1, -0.1])]
    results += [verdict("gone", seed, x) for seed, x in enumerate([-0.1, None, -0.1])]
    results += [verdict("small", seed, -1e-4) for seed in range(3)]
    results += [verdict("clear", seed, 0.1, "m-random", "m") for seed in range(3)]
    found = {row.suite: row for row in verdicts(results) if row.arm == "m"}
    labels = {suite: row.label for suite, row in found.items()}
    assert labels == {
        "clear": "better", "split": "not distinguishable", "gone": "not comparable",
        "small": "not distinguishable",
    }  # fmt: skip
    clear = found["clear"]
    assert clear.found.difference == pytest.approx(-0.101) and clear.seeds == (0, 1, 2)
    # three suites can be compared, and clear has the smallest p-value: times 3
    assert clear.corrected == pytest.approx(3 * clear.found.p_value)
    assert found["gone"].not_comparable == 1
    mixed = [verdict("mixed", seed, -0.1) for seed in range(2)]
    mixed[1]["verdict"]["metric"] = "js"
    (row,) = verdicts(mixed)
    assert row.label == "not comparable" and row.metric == "js/nll"
    mixed[1]["config"] = {"pretrain": 1}
    with pytest.raises(ConfigError, match="run with different settings"):
        verdicts(mixed)


def test_a_method_has_to_be_better_than_its_control():
    def label(
        control: float | None, size: int = 1_000, direct: float | None = None,
        num_test: int = 100, control_seeds: int = 3,
    ) -> str:  # fmt: skip
        results = [verdict("s", seed, -0.1 - 0.001 * seed) for seed in range(3)]
        for result in results:
            result["config"] = {"evaluation": {"num_samples": size}}
            result["num_test"] = num_test
            if direct is not None:
                result["against_control"] = verdict("s", result["seed"], direct)["verdict"]
        if control is not None:
            seeds = range(control_seeds)
            results += [verdict("s", seed, control, "m-random", "m") for seed in seeds]
        (row,) = [row for row in verdicts(results) if row.kind == "method"]
        return row.label

    assert label(0.0) == "better"
    assert label(-0.1) == "not distinguishable"  # the random reward came as far
    assert label(None) == "not judged against a control"
    assert label(0.0, size=499) == "too small to judge"
    assert label(0.0, num_test=99) == "too small to judge"
    # over two of three seeds a control says something else
    assert label(0.0, control_seeds=2) == "not judged against a control"
    # the direct comparison, where there is one, decides
    assert label(0.0, direct=0.001) == "not distinguishable"
    assert label(-0.1, direct=-0.05) == "better"


@pytest.mark.parametrize(
    ("training", "named"),
    [({"state": "converged"}, False), ({"state": "still improving"}, True), ({}, True)],
)
def test_a_baseline_that_has_not_converged_is_named(training, named):
    baseline = {"arm": "mle", "suite": "s", "seed": 4, "training": training}
    assert unconverged([baseline]) == (["s (seed 4)"] if named else [])


def frechet(suite: str, seed: int, difference: float) -> dict:
    """A result by the Frechet distance, with its 100 draws."""
    result = verdict(suite, seed, difference, "m-random", "m")
    spread = abs(difference) / 50
    draws = [difference + spread * x for x in (-1, 1)] * 50
    result["verdict"] |= {"metric": "fed", "draws": draws, "mle_value": 0.2}
    return result


def test_a_few_draws_of_a_costly_metric_survive_the_correction_for_many_suites():
    rows = verdicts([frechet(f"suite {i}", 0, -0.05) for i in range(8)])
    # 50 standard errors away; as a share of 101 the smallest p-value would be 8 x 0.0198
    assert {row.label for row in rows} == {"better"}
    assert max(row.corrected for row in rows) < 1e-6


@pytest.mark.parametrize(("difference", "expected"), [(-4e-4, "better"), (-1e-4, None)])
def test_a_run_and_a_table_call_a_difference_of_embeddings_the_same(difference, expected):
    """0.1% of 0.2 is the smallest that counts; the distance is in no nats."""
    (row,) = verdicts([frechet("s", 0, difference)])
    assert row.label == (expected or "not distinguishable")
    found = frechet("s", 0, difference)["verdict"]
    p_value = estimate(difference, found["draws"]).p_value
    assert label(difference, p_value, practical_size("fed", 0.2)) == row.label


def test_seeds_of_an_earlier_version_are_not_put_together():
    results = [verdict("s", seed, -0.1, "m-random", "m") for seed in range(2)]
    del results[1]["verdict"]["test_set"]
    with pytest.raises(ConfigError, match="share a test set; run them again"):
        verdicts(results)
    assert verdicts(results[1:])[0].label == "better"


def test_seeds_that_share_a_test_set_are_less_certain():
    """Draws number k of all seeds are of the same rows: they do not cancel each other."""
    results = [verdict("s", seed, -0.01, "m-random", "m") for seed in range(3)]
    (apart,) = verdicts(results)
    for result in results:
        result["verdict"]["test_set"] = "one"
    (shared,) = verdicts(results)
    assert shared.found.high - shared.found.low > 1.3 * (apart.found.high - apart.found.low)


def test_a_method_against_its_controls():
    results = [verdict("s", seed, 0.05 - 0.001 * seed) for seed in range(3)]
    results += [verdict("s", seed, 0.25, "m-constant", "m") for seed in range(3)]
    (row,) = against_controls(results)
    assert (row.arm, row.against, row.label) == ("m", "m-constant", "better")
    assert row.found.difference == pytest.approx(0.049 - 0.25)
    # the draws are paired: what both have in common is gone
    assert row.found.low > -0.206 and row.found.high < -0.196


def test_controls_that_are_mle_itself_are_named():
    def control(suite: str, best: int) -> dict:
        lines = [{"step": step, "score": abs(step - best)} for step in (0, 2, 4)]
        result = verdict(suite, best, 0.0, "m-random", "m")
        return {**result, "curves": {"validation": lines}}

    results = [control("kept", 0), control("moved", 0), control("moved", 2)]
    assert idle_controls(results) == ["kept m-random"]
    for stopping, named in ((False, []), (True, ["kept m-random"])):  # else the last state is kept
        results[0]["config"] = {"adversarial": {"early_stopping": stopping}}
        assert idle_controls(results) == named
    results[0]["config"] = {"generator": {"noise": 4}}
    notes = verdict_table("smoke", verdicts(results), results).notes
    assert any("MLE itself" in note and "kept m-random." in note for note in notes)
    assert any("read noise" in note and ": m-random." in note for note in notes)


def test_a_method_against_its_rivals():
    """Over the seeds that both have; a rival that was not run has no row."""
    named = {"rivals": ["larger", "absent"]}
    results = [verdict("s", seed, -0.05 - 0.001 * seed) | named for seed in range(3)]
    results += [verdict("s", seed, -0.02, "larger") for seed in range(2)]
    (row,) = against_rivals(results)
    assert (row.arm, row.against, row.seeds, row.label) == ("m", "larger", (0, 1), "better")
    assert row.found.difference == pytest.approx(-0.0505 + 0.02)
    table = rivals_table("standard", results)
    assert [cells[:3] for cells in table.rows] == [["m", "larger", "s smoke"]]
    assert rivals_table("standard", [verdict("s", 0, -0.05)]) is None


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])
def test_the_tables_of_the_docs_are_those_of_the_committed_results(page):
    from benchmarks.pages import fill

    text = page.read_text(encoding="utf-8")
    for folder in {results for results, _ in named_tables(text)}:
        place = ROOT / "benchmarks" / "results" / folder
        tables = make_tables(read_results(place)) if place.is_dir() else []  # what is yet to come
        assert fill(text, folder, tables, page.name) == text, "run: seqgan-bench table, --pages"


def command(output: str, *more: str) -> list[str]:
    code = "import sys; from benchmarks.cli import main; sys.exit(main())"
    arguments = ["run", "tiny.yaml", "--size", "smoke", "--output_dir", output, *more]
    return [sys.executable, "-c", code, *arguments]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_tables(here):
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    several = ["--seeds", "0,1", "--jobs", "2"]
    with subprocess.Popen(command("killed", *several), env={**os.environ, **paths}) as process:
        deadline = time.monotonic() + 300
        while len(list(Path("killed").rglob("seed-*/*.json"))) < 8:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    time.sleep(1)  # its workers end with it
    found = len(list(Path("killed").rglob("seed-*/*.json")))
    assert 8 <= found < 22
    subprocess.run(command("killed", *several), env={**os.environ, **paths}, check=True)
    assert tables(Path("killed")) == tables(Path("out"))
    assert not [path for path in Path("killed").rglob(".*")]


@pytest.mark.slow
def test_no_control_is_called_better_though_it_lowers_the_oracle_nll(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQGAN_DATA_DIR", raising=False)
    assert run(str(tmp_path), "0", "oracle20") == 0
    found = {result["arm"]: result for result in read_results(tmp_path)}
    nll = {
        arm: next((s["value"] for s in r["scores"] if s["name"] == "nll-source"), None)
        for arm, r in found.items()
    }
    assert nll["mle-cooled"] < nll["mle"] - 0.05
    # A reward that knows nothing improves the papers' score, from the papers' MLE model.
    assert nll["seqgan-papers-constant"] < nll["mle-papers"] - 0.05
    assert nll["mle-papers"] < nll["mle"]
    labels = {row.arm: row.label for row in verdicts(found.values())}
    for control in ("constant", "random", "papers-constant", "papers-random"):
        assert labels[f"seqgan-{control}"] != "better"
    # With top-p and rejection in the bar, a copy of MLE may be worse; it must not be better.
    assert labels["mle-cooled"] != "better"
