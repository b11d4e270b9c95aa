"""Figures 3 and 4 of the SeqGAN paper, from results that are made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks.cli import main
from benchmarks.pages import NOTHING, fill
from benchmarks.paper import paper_table
from benchmarks.plots import make_plots
from benchmarks.results import FORMAT
from seqgan.errors import ConfigError

PUBLISHED = {
    "oracle20": {
        "rows": [
            {"method": "MLE", "scores": {"nll-source": 9.038}},
            {"method": "SeqGAN", "scores": {"nll-source": 8.736}},
            {"method": "SeqGAN", "scores": {"nll-source": 8.683}},
        ]
    }
}


def result(arm: str, seed: int, *source: float, **more) -> dict:
    """An arm whose NLL under the source was measured every second round."""
    rows = [
        {"round": 2 * n, "score": 8.0, "source_nll": x, "trained_nll": 9 + n,
         "trained_entropy": 6 - n}
        for n, x in enumerate(source)
    ]  # fmt: skip
    scores = {"nll-source": 9.5, "nll": 8.1, "entropy": 7.0}
    return {
        "format": FORMAT, "suite": "oracle20", "suite_title": "oracle", "size": "standard",
        "seed": seed, "arm": arm, "title": arm, "kind": "method", "control_of": None, "place": 0,
        "absent": [], "published": "oracle20", "columns": None, "verdict": None,
        "config": {"adversarial": {"generator_steps": 30}},
        "curves": {"validation": rows} if rows else {"mle": []},
        "scores": [{"name": k, "value": v, "interval": None, "direction": "lower", "signature": ""}
                   for k, v in scores.items()],
        **more,
    }  # fmt: skip


RESULTS = [
    result("mle", 0),
    result("mle", 1),
    result("seqgan-papers", 0, 9.0, 8.7, 8.8),
    result("seqgan-papers", 1, 9.2, 8.9, 8.8),
    result("seqgan-papers-constant", 0, 9.0, 8.7, 8.7),
    result("seqgan-papers-constant", 1, 9.2, 8.8, 8.5),
    result("seqgan-papers-random", 0, 9.0, 9.1),
    result("seqgan-papers-random", 1, 9.2, 9.3),
    result("ratio", 0, 9.0, 8.0),
]


def test_the_table_by_hand():
    table = paper_table(RESULTS, PUBLISHED)
    assert table.name == "paper-oracle20-standard"
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert [*rows] == [
        "mle",
        "seqgan-papers",
        "seqgan-papers-constant",
        "seqgan-papers-random",
    ]  # not what is no part of it
    ours = rows["seqgan-papers"]
    assert ours["seeds"] == "2" and ours["rounds"] == "4" and ours["generator steps"] == "120"
    assert ours["NLL under the oracle: start"] == "9.100 ± 0.141"
    assert table.rows[1][5] == "8.800 ± 0.000"  # the end, and behind the lowest what it costs
    assert table.rows[1][7:9] == ["9.000 ± 0.000", "11.000 ± 0.000"]
    assert ours["lowest ↓"] == "8.750 ± 0.071"
    # differences 0.1 and 0.3: mean 0.2, error 0.1, and t(0.975, 1) = 12.706
    assert ours["end minus that of the constant reward"] == "+0.200 [-1.071, +1.471]"
    # differences -0.3 and -0.5: mean -0.4, error 0.1
    assert ours["end minus that of the random reward"] == "-0.400 [-1.671, +0.871]"
    # both end at 8.8, above it, though one was below it on the way
    ends, lowest = "seeds that end at 8.736 or below", "and whose lowest point is there"
    assert (ours[ends], ours[lowest]) == ("0 of 2", "1 of 2")
    constant = rows["seqgan-papers-constant"]
    assert (constant[ends], constant[lowest]) == ("2 of 2", "2 of 2")
    assert constant["end minus that of the random reward"] == ""
    mle = rows["mle"]
    assert table.rows[0][5] == "9.500 ± 0.000" and mle["rounds"] == mle["lowest ↓"] == ""
    assert (mle[ends], mle[lowest]) == ("0 of 2", "0 of 2")
    assert "Not run: mle-papers, seqgan-papers-1-1-10" in table.notes[-1]


def test_another_oracle_has_no_published_figure():
    absent = [{**each, "absent": ["an oracle drawn from the seed"]} for each in RESULTS]
    table = paper_table(absent, PUBLISHED)
    assert table.columns[-1] == "end minus that of the random reward"
    assert not any("8.736" in note for note in table.notes)
    assert paper_table([result("mle", 0), result("ratio", 0, 9.0)], PUBLISHED) is None


def test_the_curves_have_the_levels_of_mle_and_of_the_paper():
    plots = {plot.name: plot for plot in make_plots(RESULTS)}
    names = [
        f"oracle20-standard-curves-{x}" for x in ("source-nll", "trained-nll", "trained-entropy")
    ]
    assert [name for name in plots if name in names] == names
    axes = Figure().add_subplot()
    plots[names[0]].paint(axes)
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["mle"].get_ydata()) == [9.5, 9.5]
    assert list(lines["published, 8.736"].get_ydata()) == [8.736, 8.736]
    assert list(lines["seqgan-papers"].get_xdata()) == [0, 2, 4]
    assert list(lines["seqgan-papers"].get_ydata()) == pytest.approx([9.1, 8.8, 8.8])
    other = Figure().add_subplot()
    plots[names[2]].paint(other)
    labels = {line.get_label() for line in other.lines}
    assert "published, 8.736" not in labels and "mle" in labels


def test_arms_are_chosen_for_the_plots(tmp_path, monkeypatch, capsys):
    from benchmarks import commands

    place = tmp_path / "out" / "oracle20" / "standard" / "seed-0"
    place.mkdir(parents=True)
    for each in RESULTS:
        if each["seed"] == 0:
            (place / f"{each['arm']}.json").write_text(json.dumps(each))
    seen: list[list[str]] = []
    monkeypatch.setattr(commands, "make_plots", lambda x: seen.append([r["arm"] for r in x]) or [])
    out = str(tmp_path / "out")
    assert main(["plot", out, "--arms", "figure-3"]) == 0
    assert main(["plot", out, "--arms", "ratio"]) == 0
    figure = ["mle", "seqgan-papers", "seqgan-papers-constant", "seqgan-papers-random"]
    assert seen == [figure, ["ratio"]]
    assert main(["plot", out, "--arms", "ratoi"]) == 2
    assert "no arm or set 'ratoi' (did you mean 'ratio'?)" in capsys.readouterr().err
    assert main(["plot", out, "--arms", "residual,ratio-few"]) == 0  # what is there of a set
    assert main(["plot", out, "--arms", "organ-things"]) == 2
    assert not Path(out, "plots").exists()


def test_a_page_waits_for_its_table():
    table = paper_table(RESULTS, PUBLISHED)
    block = f"<!-- table: standard/{table.name} -->\n\n{{}}\n<!-- /table -->\n"
    waiting = block.format(f"{NOTHING}\n")
    assert fill(waiting, "standard", [], "page") == waiting
    assert fill(waiting, "standard", [table], "page") == block.format(table.markdown())
    with pytest.raises(ConfigError, match="give no table"):
        fill(block.format("| a |\n"), "standard", [], "page")
