"""Catalogue of the metrics: what each is called, which way is better, and what it tells.

The terminal's table, the report and the benchmark tables read it; docs/metrics.md documents every
entry. A metric that is not listed, such as a user's own, is shown by its plain name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .score import Direction, Score

__all__ = [
    "ANSWERS", "ARROWS", "CATALOGUE", "CLASSES", "ENTROPY", "FRECHET", "GROUPS", "JENSEN_SHANNON",
    "MOLECULES", "NLL", "NLL_SOURCE", "PICTURES", "TUNES", "Metric", "family", "find", "label",
    "score_label",
]  # fmt: skip

NLL, ENTROPY, NLL_SOURCE = "nll", "entropy", "nll-source"
RESIDUAL_GAIN = "residual-gain"
JENSEN_SHANNON, FRECHET, PICTURES = "js", "fed", "picture-distance"
ARROWS: dict[str, str] = {"higher": "↑", "lower": "↓", "none": ""}

LIKELIHOOD = "Likelihood and diversity"
SOURCE = "Distance from the source"
PRECISION = "Overlap with real sequences: n-grams of the samples that occur in real ones"
RECALL = "Overlap with real sequences: n-grams of real sequences that occur in the samples"
EMBEDDINGS = "Distance between embeddings of samples and of real sequences"
CLASSES = "Pictures as a classifier of real ones sees them"
MOLECULES = "Molecules, as rdkit reads them"
TUNES = "Tunes as music"
ANSWERS = "Answers to what is asked: labels and source texts"
ALIKE = "Overlap with each other: n-grams of a sample that occur in the others"
VARIETY = "Variety"
GROUPS = (
    LIKELIHOOD,
    SOURCE,
    PRECISION,
    RECALL,
    EMBEDDINGS,
    CLASSES,
    MOLECULES,
    TUNES,
    ANSWERS,
    ALIKE,
    VARIETY,
)
"""Titles of the groups, in the order of the report."""

TOKEN, SEQUENCE = "nats per token", "nats per sequence"


class Metric(NamedTuple):
    """A metric, or a family of them that differ in the order of their n-grams.

    Attributes:
        name: as in results.json. A name that ends in a hyphen is a family: ``bleu-`` is the family
            of ``bleu-2`` to ``bleu-5``.
        label: name for people; in a family, ``{}`` stands for the order.
        direction: which way is better.
        unit: empty for a plain number.
        meaning: what it tells, in a few words; empty if the label and the group say it.
        group: one of `GROUPS`.
    """

    name: str
    label: str
    direction: Direction
    unit: str
    meaning: str
    group: str


_METRICS = (
    Metric(
        NLL, "held-out NLL", "lower", TOKEN,
        "how badly real sequences that it never saw are predicted", LIKELIHOOD,
    ),
    Metric(
        "nll-word", "held-out NLL", "lower", "nats per word",
        "the same, divided by words; unknown words are spelled out", LIKELIHOOD,
    ),
    Metric(
        "nll-char", "held-out NLL", "lower", "nats per character",
        "the same, divided by characters: compares any two tokenizers", LIKELIHOOD,
    ),
    Metric(
        ENTROPY, "own entropy", "none", TOKEN, "how varied the model's own output is", LIKELIHOOD,
    ),
    Metric(
        RESIDUAL_GAIN, "residual gain", "higher", SEQUENCE,
        "held-out likelihood that reweighting by a discriminator's log-odds adds", LIKELIHOOD,
    ),
    Metric(
        "reverse-perplexity", "reverse perplexity", "lower", "per token",
        "of real sequences under a small model trained on the samples", LIKELIHOOD,
    ),
    Metric(
        "judge-nll", "NLL under the judge", "lower", "nats per token of its own",
        "how unlikely a pretrained model finds the texts; lower than real is no praise", LIKELIHOOD,
    ),
    Metric(
        "judge-nll-char", "NLL under the judge", "lower", "nats per character",
        "the same, divided by characters", LIKELIHOOD,
    ),
    Metric(
        JENSEN_SHANNON, "Jensen-Shannon", "lower", SEQUENCE,
        "from 0 (the same distribution) to 0.693 (nothing in common)", SOURCE,
    ),
    Metric(
        "forward-kl", "forward KL", "lower", SEQUENCE,
        "punishes a model that misses part of the data", SOURCE,
    ),
    Metric(
        "reverse-kl", "reverse KL", "lower", SEQUENCE,
        "punishes a model that writes what the source would not", SOURCE,
    ),
    Metric(
        NLL_SOURCE, "NLL under the source", "lower", TOKEN,
        "how unlikely the samples are for the source of the data", SOURCE,
    ),
    Metric(
        "parses", "share that parses", "higher", "",
        "sequences that the grammar could have written", SOURCE,
    ),
    Metric("bleu-", "BLEU-{}", "higher", "", "", PRECISION),
    Metric(
        "backward-bleu-", "backward BLEU-{}", "higher", "",
        "n-grams of real sequences that occur in samples", RECALL,
    ),
    Metric(
        "bleu-f1-", "BLEU-{} F1", "higher", "",
        "harmonic mean of BLEU in both directions", RECALL,
    ),
    Metric(
        "ms-jaccard-", "MS-Jaccard-{}", "higher", "",
        "how alike the frequencies of n-grams are", RECALL,
    ),
    Metric(
        FRECHET, "Frechet embedding distance", "lower", "",
        "embeddings of samples against those of real sequences", EMBEDDINGS,
    ),
    Metric(
        "mauve", "MAUVE", "higher", "", "the same embeddings; 1 if they cannot be told apart",
        EMBEDDINGS,
    ),
    Metric(
        PICTURES, "Frechet distance of pictures", "lower", "",
        "features of samples against those of real pictures", CLASSES,
    ),
    Metric(
        "class-accuracy", "read as the label asked for", "higher", "",
        "share of samples; of real pictures: as their own label", CLASSES,
    ),
    Metric(
        "class-confidence", "confidence of the classifier", "none", "",
        "mean probability of the label that it finds likeliest", CLASSES,
    ),
    Metric("validity", "valid", "higher", "", "samples that are molecules", MOLECULES),
    Metric(
        "unique-molecules", "unique", "higher", "", "valid samples that are different molecules",
        MOLECULES,
    ),
    Metric(
        "novel-molecules", "novel", "higher", "",
        "different molecules that the training data lack", MOLECULES,
    ),
    Metric(
        "internal-diversity", "internal diversity", "higher", "",
        "1 minus the mean Tanimoto similarity of two samples", MOLECULES,
    ),
    Metric(
        "nearest-molecule", "nearest real molecule (SNN)", "higher", "",
        "Tanimoto similarity to the nearest of the test split", MOLECULES,
    ),
    Metric(
        "scaffolds", "scaffolds", "higher", "",
        "how alike the frequencies of Murcko scaffolds are to the test split's", MOLECULES,
    ),
    Metric(
        "fcd", "Frechet ChemNet distance", "lower", "",
        "embeddings of valid samples against the test split's", MOLECULES,
    ),
    Metric("qed", "QED", "none", "", "drug-likeness, mean of valid samples", MOLECULES),
    Metric("qed-", "QED, percentile {}", "none", "", "", MOLECULES),
    Metric(
        "qed-distance", "distance in QED", "lower", "",
        "between the distributions of valid samples and of the test split", MOLECULES,
    ),
    Metric("logp", "logP", "none", "", "mean of valid samples", MOLECULES),
    Metric("logp-", "logP, percentile {}", "none", "", "", MOLECULES),
    Metric("logp-distance", "distance in logP", "lower", "", "the same of logP", MOLECULES),
    Metric("sa", "synthetic accessibility", "none", "", "1 is easy, 10 is hard", MOLECULES),
    Metric("sa-", "synthetic accessibility, percentile {}", "none", "", "", MOLECULES),
    Metric(
        "sa-distance", "distance in synthetic accessibility", "lower", "", "the same of it",
        MOLECULES,
    ),
    Metric(
        "pitch-class-distance", "distance of pitch classes", "lower", "",
        "total variation between their shares in samples and in real tunes", TUNES,
    ),
    Metric(
        "pitch-classes", "pitch classes", "none", "per tune", "different ones of the twelve", TUNES,
    ),
    Metric(
        "scale-consistency", "scale consistency", "none", "",
        "share of sounding time in the scale that fits a tune best", TUNES,
    ),
    Metric(
        "key-accuracy", "in the key asked for", "higher", "",
        "tunes whose notes tell the key that was asked for", TUNES,
    ),
    Metric("note-density", "note density", "none", "notes per bar", "", TUNES),
    Metric(
        "bar-repetition", "repeated bars", "none", "",
        "share of a tune's bars that it has had before", TUNES,
    ),
    Metric("bars", "bars", "none", "per tune", "mean of the samples", TUNES),
    Metric(
        "label-accuracy", "label found", "higher", "",
        "samples in which a classifier of real sequences finds the label asked for", ANSWERS,
    ),
    Metric(
        "pair-bleu", "corpus BLEU of answers", "higher", "",
        "likeliest answers against the test split's, by sacreBLEU", ANSWERS,
    ),
    Metric("pair-chrf", "chrF of answers", "higher", "", "the same by characters", ANSWERS),
    Metric("self-bleu-", "self-BLEU-{}", "lower", "", "", ALIKE),
    Metric(
        "distinct-", "distinct {}-grams", "higher", "", "share of all n-grams that are different",
        VARIETY,
    ),
    Metric(
        "unique", "share of unique sequences", "higher", "",
        "samples that are no copy of another", VARIETY,
    ),
    Metric(
        "repetition-", "repeated {}-grams", "none", "",
        "share of a sample's n-grams that repeat one of its own", VARIETY,
    ),
    Metric(
        "copied", "share found in the training data", "none", "",
        "samples that stand in the training data word for word", VARIETY,
    ),
    Metric(
        "longest-copied", "longest copied piece", "none", "tokens",
        "longest piece that stands in the training data, mean of the samples", VARIETY,
    ),
    Metric("length", "length", "none", "tokens", "mean of the samples", VARIETY),
)  # fmt: skip
CATALOGUE = {metric.name: metric for metric in _METRICS}
"""The metrics by name, in the order of the report."""


def family(name: str) -> str:
    """Name of a metric's family, such as ``self-bleu-`` of ``self-bleu-4``; else the name."""
    return re.sub(r"(?<=-)\d+$", "", name.partition("@")[0])


def find(name: str) -> Metric | None:
    """The entry of a metric, with its order in the label; None for one that is not listed.

    ``nll@positive`` is the score of the sequences with the label "positive".
    """
    whole, at, asked = name.partition("@")
    if at:
        found = find(whole)
        return found and found._replace(name=name, label=f"{found.label} of {asked}")
    entry = CATALOGUE.get(family(name))
    if entry is None or entry.name == name:
        return entry
    return entry._replace(name=name, label=entry.label.format(name.removeprefix(entry.name)))


def label(name: str, *, unit: bool = True) -> str:
    """A metric's name for people; of one that is not listed, its plain name.

    Args:
        name: as in results.json.
        unit: append the unit.
    """
    entry = find(name)
    if entry is None:
        return name
    return f"{entry.label}, {entry.unit}" if unit and entry.unit else entry.label


def score_label(name: str, scores: list[Score]) -> str:
    """Label of a metric and its restriction: "parsing samples only" if one of its scores says so.

    Args:
        name: of the metric.
        scores: of all models, other metrics' among them.
    """
    only = any(score.name == name and "only:parsing" in score.signature for score in scores)
    return label(name) + (", parsing samples only" if only else "")
