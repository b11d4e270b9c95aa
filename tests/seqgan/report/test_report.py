"""The report says what the run's folder holds, all of it, and nothing that a sample smuggles in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from seqgan.cli.main import main
from seqgan.errors import RunDirectoryError
from seqgan.report import write_report
from seqgan.report.distributions import binned
from seqgan.runs.run_directory import RunDirectory

from .folder import CONFIG, log, make_run, results, score, verdict, without_sweep

FIGURES = {
    "verdict", "quality-diversity", "bleu-2", "bleu-3", "bleu-4", "bleu-5", "mle-nll",
    "discriminator-accuracy", "discriminator-gain", "validation-score", "validation-nll",
    "mean-reward",
}  # fmt: skip
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Elements, ids and text of a page; fails where an element is not closed."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(path: Path, **changes: Any) -> tuple[str, str]:
    """The HTML and the Markdown of a run made by hand."""
    made = write_report(RunDirectory.open(make_run(path, **changes)))
    assert made == path / "report.html"
    return made.read_text(encoding="utf-8"), (path / "report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run: its folder, page and Markdown."""
    path = tmp_path_factory.mktemp("runs") / "captions"
    html, markdown = report(path)
    return path, html, markdown


def test_the_answer_comes_first_in_words_and_in_figures(whole):
    _, html, markdown = whole
    for text in (Page(html).text, markdown):
        place = [
            text.index(part)
            for part in (
                "No difference found",
                "cannot be told apart",
                "Two models that write sequences were compared",
                "MLE has 3.1000, the fine-tuned model 3.1125",
                "the difference is +0.0125; its 90% interval runs from -0.0375 to +0.0625",
                "The interval contains 0",
                "with a random number as the reward of each sequence",
                "Against MLE it has a difference of +0.0010 (-0.0490 to +0.0510)",
                "The fine-tuned model minus the control is +0.0110 (-0.0390 to +0.0610)",
                "told 62.5% of unseen sequences right",
                "could have gained 0.125 nats each",
                "so it had found something to teach",
                "The sentence of the verdict.",
                "One training seed",
                "many lines are too long",
                "All scores",
            )
        ]
        assert place == sorted(place)
        assert "size of the difference" not in text  # there is none to speak of


@pytest.mark.parametrize(
    ("term", "judge", "caption"),
    [
        (
            {"name": "discriminator"},
            "to please a second network",
            "samples: discriminator (log_odds).",
        ),
        (
            {"name": "random"},
            "on a reward with nothing to teach, a random number: a control",
            "samples: random.",
        ),
        (
            {"name": "constant"},
            "on a reward with nothing to teach, the same for every sequence: a",
            "samples: constant.",
        ),
        (
            {"name": "ratio"},
            "to write what an ensemble of other MLE models of the same data finds likelier than it "
            "does itself (the density ratio).",
            "samples: ratio.",
        ),
        (
            {"name": "length"},
            "on another reward, length.",
            "samples: length.",
        ),
    ],
)
def test_the_words_say_what_the_reward_was(tmp_path, term, judge, caption):
    html, markdown = report(tmp_path / "run", config={**CONFIG, "rewards": [term]})
    for text in (Page(html).text, markdown):
        assert f"was then trained {judge}" in text and caption in text


def test_every_score_stands_in_the_table_with_interval_and_arrow(whole):
    _, html, markdown = whole
    rows = re.findall(r"<tr>\n<th scope=\"row\">(.*?)</tr>", html, flags=re.S)
    table = {re.sub(r"<.*", "", row.split("\n")[0]).strip(): row for row in rows}
    first = results()["scores"]["mle"]
    assert len([row for row in rows if "metric:" in row]) == len(first)
    nll = table["held-out NLL, nats per token"]
    assert "↓" in nll and "lower is better" in nll
    assert nll.index("3.000") < nll.index("3.500") < nll.index("2.500")  # MLE, adversarial, real
    assert "[2.750, 3.250]" in nll and 'title="metric:nll|n:100"' in nll
    assert "↑" in table["BLEU-4"] and "↓" in table["self-BLEU-4"]
    assert "↑" not in table["length, tokens"] and "↓" not in table["length, tokens"]
    assert "↑" in table["something-new"]  # a metric that the report has no words for
    assert "| held-out NLL, nats per token ↓ | 3.000 [2.750, 3.250] | 3.500" in markdown
    assert "| something-new ↑ |" in markdown
    assert "90% interval" in html and "90% interval" in markdown


def test_a_score_that_a_model_has_not_and_one_without_interval(tmp_path):
    content = without_sweep()
    content["scores"]["real"] = [score("unique", 0.0312, "higher", half=None)]
    content["scores"]["mle"].append({**score("js", 0.04), "signature": "metric:js|only:parsing"})
    _, markdown = report(tmp_path / "run", results=content, log=None)
    assert re.search(
        r"\| Jensen-Shannon.*parsing samples only ↓ \| 0.0400 \[.*\] \| – \| – \|", markdown
    )
    assert re.search(r"\| share of unique sequences ↑ \|.* \| 0.031 \|", markdown)


def test_all_figures_are_drawn_and_stand_within_the_page(whole):
    path, html, markdown = whole
    assert {file.stem for file in (path / "figures").iterdir()} == FIGURES
    for file in (path / "figures").iterdir():
        assert file.read_bytes().startswith(b"\x89PNG")
    assert set(re.findall(r"\]\(figures/([\w-]+)\.png\)", markdown)) == FIGURES
    page = Page(html)
    drawn = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(drawn) == len(FIGURES) and all(svg["aria-label"] for svg in drawn)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([\w.-]+)', html)
    assert used and set(used) <= set(ids)


def test_figures_take_their_colours_from_the_page(whole):
    html = whole[1]
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        assert not re.findall(r"#[0-9a-fA-F]{6}\b", svg)
        assert set(re.findall(r"var\(--([\w-]+)\)", svg)) >= {"text", "muted", "grid"}
    style = html[html.index("<style>") : html.index("</style>")]
    light, dark = style.split("prefers-color-scheme: dark")
    for name in ("text", "muted", "grid", "mle", "finetuned", "real", "page"):
        assert f"--{name}: #" in light and f"--{name}: #" in dark


def test_the_page_asks_for_nothing_outside(whole):
    html = whole[1]
    assert "http:" not in html and "https:" not in html and "@import" not in html
    page = Page(html)
    assert not page.all("script") and not page.all("img") and not page.all("iframe")
    for tag, attributes in page.elements:
        assert "src" not in attributes and "srcset" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,")), (tag, attributes)
    policy = next(meta for meta in page.all("meta") if "http-equiv" in meta)
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_samples_side_by_side_as_many_as_the_settings_say(whole):
    _, html, markdown = whole
    for text in (Page(html).text, markdown):
        assert text.index("a real line") < text.index("a line of the first model")
        assert text.index("more of it") < text.index("a line of the second model")
        assert "never shown" not in text and "2 of 3" in text


def test_colours_and_numbers_of_the_tokens(whole):
    _, html, markdown = whole
    # the scale: 2 nats on either side of -0.5, opacity 0.62 at the ends; +0.5 is half way
    assert '<span class="real" style="--a:0.31" title="good: value +0.500, change +1.000">' in html
    assert (
        '<span class="fake fall" style="--a:0.62" title="bad: value -2.500, change -3.000">' in html
    )
    assert '<span class="fake" style="--a:0.31" title="end: value -1.500, change +1.000">' in html
    # 0.79 from the middle; two errors are 2 x sqrt(0.3^2 + 0.265^2) = 0.8006
    assert '<span class="neutral" style="--a:0.0" title="so: value -1.290' in html
    assert "-2.50" in html and "+1.50" in html  # the ends of the scale
    assert "good +0.50 · **bad** -2.50 · end -1.50 · so -1.29 · whole sentence -1.50" in markdown
    assert "opinions" not in html


def test_a_discriminator_that_tells_nothing_colours_nothing(tmp_path):
    changed = without_sweep()
    changed["action_values"]["real_mean"] = 0.4  # 0.9 away; two errors are 2 x 0.5 = 1
    html, markdown = report(tmp_path / "run", results=changed, log=None)
    assert 'class="real' not in html and 'class="fake' not in html
    assert html.count('<span class="neutral" style="--a:0.0"') == 4
    for text in (html, markdown):
        assert "its values are opinions and no knowledge" in text


def test_data_settings_and_environment(whole):
    for text in (Page(whole[1]).text, whole[2]):
        for part in ("1,234", "900", "words", "seqgan run", "3.11.0", "torch", "early_stopping"):
            assert part in text, part
        assert "2023-11-14 22:13:20 UTC" in text  # 1,700,000,000 seconds
        assert "/home/somebody" not in text


@pytest.mark.parametrize(
    ("label", "difference", "words"),
    [
        ("better", -0.2, "Fine-tuning helped"),
        ("worse", 0.2, "Fine-tuning hurt"),
        ("not comparable", None, "The two models cannot be compared"),
    ],
)
def test_every_verdict_has_its_words(tmp_path, label, difference, words):
    changed = without_sweep(verdict=verdict(label, difference))
    html, markdown = report(tmp_path / "run", results=changed, log=None)
    assert words in html and words in markdown
    assert ("figures/verdict.png" in markdown) == (difference is not None)
    assert "lies outside everything" in html or difference is not None
    Page(html)


def test_few_held_out_sequences_are_no_evidence_of_nothing(tmp_path):
    lines = log()
    lines[3] |= {"heldout_gain_low": -0.1, "heldout_accuracy": 0.51, "heldout_accuracy_error": 0.1}
    _, markdown = report(tmp_path / "run", log=lines)
    assert "the held-out sequences are too few to see" in markdown


def test_cautions(tmp_path):
    lines = log()
    lines[3] |= {"heldout_gain": 0.02, "heldout_gain_low": -0.1, "heldout_gain_high": 0.09}
    lines[3] |= {"heldout_accuracy": 0.51, "heldout_effective": 4.2}
    changed = without_sweep()
    changed["verdict"]["cautions"] = ["MLE was still improving. Raise --pretrain.epochs.", "A & B."]
    html, markdown = report(tmp_path / "run", log=lines, results=changed)
    for text in (html, markdown):
        assert "MLE was still improving" in text and "A &amp; B." in text
        assert "it had little to teach" in text
        assert "How large the gain is, is unreliable: 4 samples carry its weight" in text
    assert "<code>--pretrain.epochs</code>" in html


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([900] * 3, "with 3 other MLE models of 900 parameters each; the policy has 900."),
        ([800], "with another MLE model of 800 parameters; the policy has 900."),
        ([900, 2000], "2 other MLE models of 900 to 2,000 parameters. The policy has 900: what it"),
    ],
)
def test_the_report_says_who_the_members_are(tmp_path, sizes, words):
    changed = without_sweep()
    changed["adversarial"]["members"] = {"parameters": sizes, "policy_parameters": 900}
    html, markdown = report(tmp_path / "run", results=changed, log=None)
    assert words in html and words in markdown
    assert ("distillation of larger models" in markdown) is (max(sizes) > 900)


def test_a_pretrained_model_alone_has_its_caution(tmp_path):
    changed = without_sweep(verdict=None, control=None, adversarial=None)
    words = "MLE was still improving at its last epoch (3)"
    assert words not in report(tmp_path / "fit", results=changed, log=None)[1]
    changed["pretraining"]["state"] = "still improving"
    assert words in report(tmp_path / "unfit", results=changed, log=None)[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label": "better", "helped": True}, "Fine-tuning helped"),
        ({"label": "better"}, "Ahead of MLE, but not from a fair start"),
        (
            {"label": "not distinguishable", "against_mle": "better"},
            "No better than a random rewar",
        ),
        (
            {"label": "not judged against a control", "against_mle": "better"},
            "there was no control",
        ),
        ({"label": "too small to judge"}, "Too small to judge"),
        ({"label": "worse", "mle_way": "top-p 0.9"}, "Fine-tuning hurt"),
    ],
)
def test_only_a_whole_success_has_the_headline(tmp_path, changes, words):
    changed = without_sweep(verdict=verdict("not distinguishable", -0.2) | changes)
    html, markdown = report(tmp_path / "run", results=changed, log=None)
    assert markdown.startswith("# ") and words in markdown.split("\n")[0]
    assert words in html
    found = changed["verdict"].get("against_mle", changes["label"])
    assert ("The size of the difference is" in markdown) == (found in ("better", "worse"))
    helped = changes.get("helped", False)
    assert ("Fine-tuning helped" in html) == helped


def test_only_what_was_tried_is_said_to_be(tmp_path):
    """Under the likelihood no way but the temperature is open; the families are empty then."""
    none, some = {"mle": {}, "finetuned": {}}, {"mle": {"top-p": [{"top-p": 0.9}]}}
    for variants, said in ((none, "had no part in it"), (some, "Both were also sampled in two")):
        changed = without_sweep(sweep={"variants": variants})
        html, _ = report(tmp_path / said[:4], results=changed, log=None)
        assert said in html
    assert "had no part in it" not in html


HOSTILE = [
    "<script>alert(1)</script> & <b>bold</b>",
    "</style></svg><img src=x onerror=alert(1)>",
    "w" * 3000,
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\U0001f389 \U0001f469\u200d\U0001f467 \u6625\u7720",
    "{{ 7 * 7 }} {% raw %} ``` | $x^2$",
    "one\u2028two\x85three",
    "",
]


def test_samples_may_hold_anything(tmp_path):
    changed = without_sweep()
    changed["data"]["warnings"] = [HOSTILE[0]]
    changed["data"]["files"] = [{"path": HOSTILE[1], "lines": 5}]
    changed["source"] = HOSTILE[0]
    changed["scores"]["mle"].append(score(HOSTILE[0], 1.0))
    changed["scores"]["mle"][-1]["signature"] = '"><script>alert(1)</script>'
    sentence = {"values": [0.5] * len(HOSTILE), "whole": 0.1}
    changed["action_values"]["sentences"] = [{"tokens": HOSTILE, **sentence}]
    changed["action_values"]["sentences"].append({"tokens": [], "values": [], "whole": 0.0})
    samples = {"real": HOSTILE, "mle": HOSTILE, "finetuned": HOSTILE[::-1]}
    config = {**CONFIG, "evaluation": {"show": 20}, "data": HOSTILE[0]}
    place = tmp_path / "<script>&"
    html, markdown = report(place, results=changed, samples=samples, config=config, log=None)
    page = Page(html)
    assert not page.all("script") and not page.all("img")
    assert len(page.all("b")) == 4  # ours: the run, "Data:", the ends of the scale
    for text in HOSTILE:
        assert text in page.text
    assert "49" not in re.findall(r"<li dir=\"auto\">(.*?)</li>", html)
    assert "8 of 8" in page.text
    # in Markdown HTML stands in fenced code, or escaped
    outside = re.sub(r"^(`{3,})\w+\n.*?\n\1$", "", markdown, flags=re.S | re.M)
    assert "<script>" in markdown and "<script>" not in outside and "<img" not in outside
    assert markdown.count("````text\n") == 3


def test_a_run_that_only_pretrained(tmp_path):
    content = results() | {
        "adversarial": None,
        "verdict": None,
        "sweep": None,
        "action_values": None,
    }
    del content["scores"]["finetuned"]
    samples = {"real": ["one"], "mle": ["two"]}
    lines = [line for line in log() if line["stage"] == "mle"]
    html, markdown = report(tmp_path / "run", results=content, samples=samples, log=lines)
    assert "A pretrained model" in html and "Nothing was compared" in markdown
    assert {file.stem for file in (tmp_path / "run" / "figures").iterdir()} == {"mle-nll"}
    assert "Quality and diversity" not in html and "discriminator thinks" not in html
    assert "| Metric | MLE | Real (test) |" in markdown
    Page(html)


def test_results_of_older_runs_lack_parts(tmp_path):
    content = results()
    del content["action_values"], content["data"], content["sweep"]["real"]
    html, _ = report(tmp_path / "run", results=content)
    assert "discriminator thinks" not in html and "quality-diversity" in html


@pytest.mark.parametrize("missing", [("results",), ("log",), ("results", "log")])
def test_missing_files(tmp_path, missing):
    changes: dict[str, Any] = {"results": without_sweep(), **dict.fromkeys(missing)}
    html, markdown = report(tmp_path / "run", samples=None, environment=None, **changes)
    Page(html)
    assert "- command: unknown" in markdown
    if "results" in missing:
        assert "An unfinished run" in html and "no results yet" in markdown


def test_work_done_twice_is_drawn_once(tmp_path):
    from seqgan.report.record import read_record

    again = [*log(), {**log()[1], "validation_nll": 2.5}]
    record = read_record(RunDirectory.open(make_run(tmp_path / "run", log=again)))
    assert [line["validation_nll"] for line in record.log["mle"]] == [4.0, 2.5, 3.5]


@pytest.mark.parametrize("name", ["results.json", "metrics.jsonl", "environment.json"])
def test_damaged_files_are_named(tmp_path, name, capsys):
    path = make_run(tmp_path / "run")
    (path / name).write_text("{ half a")
    with pytest.raises(RunDirectoryError, match=name):
        write_report(RunDirectory.open(path))
    assert main(["report", "--run", str(path)]) == 2
    assert name in capsys.readouterr().err


def test_the_same_folder_gives_the_same_bytes(whole, capsys):
    path, html, _ = whole
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert main(["report", "--run", str(path)]) == 0
    assert "report.html" in "".join(capsys.readouterr().out.split())
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_the_users_own_matplotlib_settings_change_nothing(whole, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"axes.facecolor": "pink", "font.size": 30, "svg.fonttype": "path"}):
        html, _ = report(tmp_path / "captions")
        assert matplotlib.rcParams["font.size"] == 30
    assert html == whole[1]


def test_single_values_become_histograms(tmp_path):
    values = {"mle": [0.1, 0.2, 0.2, 0.4], "finetuned": [0.9] * 3, "real": [], "other": [0.5]}
    changes = without_sweep(distributions={"qed": values, "logp": {}})
    html, markdown = report(tmp_path / "run", results=changes)
    assert "](figures/distribution-qed.png)" in markdown and "logp" not in markdown
    assert "Sequences: MLE 4, Fine-tuned 3." in markdown
    assert (tmp_path / "run" / "figures" / "distribution-qed.png").is_file()
    drawing = html[html.index('aria-label="Distribution: QED"') :]
    drawing = drawing[: drawing.index("</svg>")]
    assert "var(--mle)" in drawing and "var(--finetuned)" in drawing


def test_shares_of_bins_by_hand():
    edges, shares = binned({"mle": [0.0, 1.0, 2.0, 3.0], "real": [1.5, 900.0]})
    assert len(edges) == 31
    assert [share.sum() for share in shares.values()] == pytest.approx([1.0, 1.0])
    assert shares["real"][-1] == 0.5  # far outside the middle 98%
    edges, shares = binned({"mle": [2.0, 2.0]})  # all alike
    assert (edges[0], edges[-1], shares["mle"].max()) == (1.5, 2.5, 1.0)


def test_a_difference_below_the_resolution_is_not_said_to_contain_0():
    from seqgan.report.words import _conclusion

    assert "does not contain 0" in _conclusion("not distinguishable", -0.0007, -0.0001)
    assert "contains 0" in _conclusion("not distinguishable", -0.1, 0.2)


def test_every_part_is_explained_in_the_docs():
    root = Path(__file__).parents[3]
    template = (root / "seqgan/report/templates/report.html").read_text()
    # Titles are text, or a choice of texts.
    found = re.findall(r'<section id="\w+">\n<h2>(.*?)</h2>', template)
    titles = {name for title in found for name in re.findall(r'"([^"]+)"', title) or [title]}
    extremes = Path(root / "seqgan/report/extremes.py").read_text()
    titles.remove("{{ extremes.title }}")
    titles |= {re.search(r'return "(The most .*?)"', extremes)[1]}
    titles |= {re.search(r'return f"(The samples .*?) \{', extremes)[1]}
    table = (root / "docs/report.md").read_text().split("| --- | --- | --- |\n")[1].split("\n\n")[0]
    parts = " ".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))
    assert len(found) == template.count("<section id=")
    assert not [title for title in titles if title not in parts]
