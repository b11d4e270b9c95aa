"""The table of scores at terminals of several widths."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from seqgan.metrics import Score
from seqgan.report.console import scores_table


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("models", [2, 3, 4])
def test_no_name_and_no_value_is_cut(width, models):
    names = ["backward-bleu-2", "backward-bleu-3", "nll", "reverse-perplexity"]
    value, interval = 1234.5, (1234.0, 1246.0)
    made = {
        title: [Score(x, value, interval, 100, "higher", f"metric:{x}") for x in names]
        for title in ("mle", "finetuned", "control", "real")[:models]
    }
    file = io.StringIO()
    Console(width=width, file=file, force_terminal=False).print(scores_table(made))
    shown = file.getvalue()
    assert "…" not in shown and all(len(line) <= width for line in shown.splitlines())
    rows = [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")]
    names_shown = "".join(rows).replace(" ", "")
    assert "backwardBLEU-2↑" in names_shown and "backwardBLEU-3↑" in names_shown
    with_interval = models - ("control" in made)
    assert shown.count("1234.500 ± 11.500") == len(names) * with_interval
