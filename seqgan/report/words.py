"""The answer of a run in plain words, and what to keep in mind when reading it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .record import Record

__all__ = ["cautions", "explanation", "headline", "short_answer"]

HEADLINES = {
    "better": "Adversarial training helped",
    "not distinguishable": "No difference found",
    "worse": "Adversarial training hurt",
    "not comparable": "The two models cannot be compared",
}
ANSWERS = {
    "better": "At equal diversity the adversarially trained model beats plain MLE on this data.",
    "not distinguishable": (
        "At equal diversity the adversarially trained model and plain MLE cannot be told apart on "
        "this data."
    ),
    "worse": (
        "At equal diversity the adversarially trained model is worse than plain MLE on this data."
    ),
    "not comparable": (
        "At no temperature tried is plain MLE as varied as the adversarially trained model at its "
        "best."
    ),
}
CONCLUSIONS = {
    "better": "The whole interval lies below 0, so the difference is unlikely to be chance.",
    "not distinguishable": (
        "The interval contains 0, so this run gives no evidence that adversarial training made "
        "the model better or worse."
    ),
    "worse": "The whole interval lies above 0, so the difference is unlikely to be chance.",
}
TOO_SMALL = (
    "The interval does not contain 0, but a difference so small is no more than what matching the "
    "diversity of the two models leaves, and counts as none."
)
METRICS = {
    "js": (
        "the Jensen-Shannon divergence from the source of the data, in nats a sequence: 0 where "
        "the model writes exactly what the source would, 0.693 where they have nothing in common"
    ),
    "fed": (
        "the Frechet embedding distance: how far the embeddings of samples lie from those of real "
        "sequences, in mean and spread; lower is better"
    ),
    "nll": (
        "the held-out NLL: how badly the model predicts real sequences that it never saw, in nats "
        "a token; lower is better"
    ),
}
UNFIT = {
    "still improving": (
        "MLE was still improving at its last epoch ({epochs}): the baseline is undertrained, and "
        "further training of any kind would help it. Raise --pretrain.epochs."
    ),
    "past its best": (
        "MLE was best after epoch {best_epoch} of {epochs} and worse at the end, which was kept: "
        "the baseline is overfitted. --pretrain.early_stopping true keeps the best state."
    ),
    "unknown": (
        "No record is left of how MLE was trained: whether the baseline had converged is unknown."
    ),
}
"""Said of a baseline that is not the best that MLE can do, by the state of its pretraining."""
CONTROLS = {"constant": "the same for every sequence", "random": "a random number"}


def headline(record: Record) -> str:
    """The answer in a few words."""
    if record.verdict is not None:
        label = record.verdict["label"]
        return HEADLINES.get(label, label.capitalize())
    return "A pretrained model" if record.results else "An unfinished run"


def short_answer(record: Record) -> str:
    """The answer in one sentence, or empty where nothing was compared."""
    return "" if record.verdict is None else ANSWERS.get(record.verdict["label"], "")


def explanation(record: Record) -> list[str]:
    """What was compared and what the answer means, a paragraph each."""
    if not record.results:
        return [
            "This run has no results yet: it was interrupted, or is still at work. What follows "
            "is what it has logged so far."
        ]
    if record.verdict is None:
        return [
            "A model that writes sequences was trained to predict the next token of its training "
            "data (maximum likelihood, MLE). The table sets its samples beside real ones. Nothing "
            "was compared: adversarial fine-tuning is a step of its own.",
        ]
    return [_compared(record), _result(record.verdict), *_learnable(record)]


def _compared(record: Record) -> str:
    reward = record.setting("adversarial", "reward", "discriminator")
    judge = "to please a second network, the discriminator, that tries to tell real from generated"
    if reward in CONTROLS:
        judge = f"on a reward with nothing to teach, {CONTROLS[reward]}: a control"
    return (
        "Two models that write sequences were compared. The first (MLE) learned from the data "
        "alone, by predicting the next token. The second (adversarial) began as a copy of it and "
        f"was then trained {judge}. A model that plays safe and writes less varied sequences looks "
        "better on most metrics without being better. So both were made more and less daring "
        "(the softmax temperature), and compared where they are equally varied."
    )


def _result(verdict: dict[str, Any]) -> str:
    measure = METRICS.get(verdict["metric"], verdict["metric"])
    if verdict["difference"] is None:
        return (
            "Here no such point exists: the adversarial model's diversity "
            f"({verdict['adversarial_entropy']:.3f} nats a token) lies outside everything that MLE "
            "reaches at the temperatures tried, so any difference could be diversity alone. More "
            "temperatures (--evaluation.temperatures) may make them comparable."
        )
    low, high = verdict["interval"]
    return (
        f"They were measured by {measure}. MLE has {verdict['mle_value']:.4f}, the adversarial "
        f"model {verdict['adversarial_value']:.4f}. Corrected for what is left of a difference in "
        f"diversity, the difference is {verdict['difference']:+.4f}; its "
        f"{verdict['confidence']:.0%} interval runs from {low:+.4f} to {high:+.4f}. "
        f"{_conclusion(verdict['label'], low, high)}"
    ).rstrip()


def _conclusion(label: str, low: float, high: float) -> str:
    if label == "not distinguishable" and not low <= 0 <= high:
        return TOO_SMALL
    return CONCLUSIONS.get(label, "")


def _learnable(record: Record) -> list[str]:
    """Whether the discriminator had anything to teach when the rounds began."""
    lines = record.log.get("discriminator", [])
    rounds = record.log.get("validation", [])
    if rounds:
        lines = [line for line in lines if line["time"] <= rounds[0]["time"]]
    lines = [line for line in lines if line.get("heldout_gain") is not None]
    if not lines:
        return []
    kept = lines[-1]
    if record.setting("discriminate", "early_stopping", True):
        kept = max(lines, key=lambda line: line["heldout_gain"])
    low, high = kept["heldout_gain_low"], kept["heldout_gain_high"]
    told = (
        "so it had found something to teach"
        if low > 0
        else "which cannot be told from nothing: it had little to teach"
    )
    return [
        "Was there anything to learn? Before the adversarial rounds, the discriminator told "
        f"{kept['heldout_accuracy']:.1%} of unseen sequences right (50% is guessing), and held-out "
        f"real sequences could have gained {kept['heldout_gain']:.3f} nats each from its judgement "
        f"(interval {low:.3f} to {high:.3f}), {told}."
    ]


def cautions(record: Record) -> list[str]:
    """What a careful reader should know; empty where nothing is to be said."""
    return [*_about_pretraining(record), *_about_rounds(record), *_about_verdict(record)]


def _about_pretraining(record: Record) -> Iterator[str]:
    found = record.results.get("pretraining")
    if found is not None and found["state"] != "converged":
        yield UNFIT[found["state"]].format(**found)


def _about_rounds(record: Record) -> Iterator[str]:
    if (record.results.get("adversarial") or {}).get("best_round") == 0:
        early = record.setting("adversarial", "early_stopping", True)
        kept = "pretrained one" if early else "one after the last round nevertheless"
        yield f"No adversarial round improved on validation; the adversarial model is the {kept}."
    kind = record.setting("adversarial", "reward", "discriminator")
    if record.verdict is not None and kind in CONTROLS:
        yield f"A control: the reward was {CONTROLS[kind]}."


def _about_verdict(record: Record) -> Iterator[str]:
    if record.verdict is None:
        return
    chosen = record.verdict["adversarial_temperature"]
    tried = record.setting("evaluation", "temperatures", [])
    if tried and chosen in (min(tried), max(tried)):
        yield (
            f"The adversarial model was best at temperature {chosen:g}, the end of the range that "
            "was tried: beyond it the answer may be another. Widen --evaluation.temperatures."
        )
    yield (
        "One training seed: the intervals are over sequences and say nothing about how much the "
        "answer moves from one training run to the next."
    )
