"""The answer of a run in plain words, and what to keep in mind when reading it."""

from __future__ import annotations

from typing import Any

from ..evaluation.answer import UNFIT
from ..evaluation.primary import PRIMARY
from ..metrics.gain import teaching
from .record import Record

__all__ = ["cautions", "explanation", "headline", "short_answer"]

HEADLINES = {
    "better": "Ahead of MLE, but not from a fair start",
    "not distinguishable": "No difference found",
    "worse": "Fine-tuning hurt",
    "not comparable": "The two models cannot be compared",
    "not judged against a control": "Ahead of MLE, but there was no control",
    "too small to judge": "Too small to judge",
}
HELPED, NO_BETTER_THAN_NOISE = "Fine-tuning helped", "No better than a random reward"
OWN, PRETRAINED, UNFINISHED = "By its own reward: ", "A pretrained model", "An unfinished run"
ANSWERS = {
    "better": (
        "At equal diversity the fine-tuned model beats plain MLE and the control on "
        "this data. What keeps that from counting as a success stands under Read with care."
    ),
    "not distinguishable": (
        "At equal diversity the fine-tuned model and plain MLE cannot be told apart on this data."
    ),
    "worse": ("At equal diversity the fine-tuned model is worse than plain MLE on this data."),
    "not comparable": (
        "Plain MLE, or the control, is in no way tried as varied as the fine-tuned "
        "model at its best."
    ),
    "not judged against a control": (
        "At equal diversity the fine-tuned model beats plain MLE on this data. If a "
        "random reward would have done the same, nobody knows."
    ),
    "too small to judge": (
        "The run shows that everything works. Its models and its samples are too small for more."
    ),
}
AHEAD = (
    "At equal diversity the fine-tuned model beats plain MLE, and the same training "
    "with a random reward, on this data."
)
AS_NOISE = (
    "The fine-tuned model is ahead of plain MLE, but not of the same training with a random reward."
)
CONCLUSIONS = {
    "better": "The whole interval lies below 0, so the difference is unlikely to be chance.",
    "not distinguishable": (
        "The interval contains 0, so this run gives no evidence that fine-tuning made "
        "the model better or worse."
    ),
    "worse": "The whole interval lies above 0, so the difference is unlikely to be chance.",
}
TOO_SMALL = (
    "The interval does not contain 0, but a difference so small is no more than what matching the "
    "diversity of the two models leaves, and counts as none."
)
CONTROLS = {"constant": "the same for every sequence", "random": "a random number"}


def headline(record: Record) -> str:
    """The answer in a few words."""
    if record.verdict is not None:
        label = record.verdict["label"]
        if record.verdict.get("helped"):
            return HELPED
        return NO_BETTER_THAN_NOISE if _as_noise(record) else HEADLINES[label]
    if record.objective is not None:
        return f"{OWN}{record.objective['label']}"
    return PRETRAINED if record.results else UNFINISHED


def short_answer(record: Record) -> str:
    """The answer in one sentence, or empty if nothing was compared."""
    if record.objective is not None:
        return str(record.objective["sentence"])
    if record.verdict is None:
        return ""
    if record.verdict.get("helped"):
        return AHEAD
    return AS_NOISE if _as_noise(record) else ANSWERS[record.verdict["label"]]


def _as_noise(record: Record) -> bool:
    """Tells if the method is better than MLE and no better than its control."""
    verdict = record.verdict or {}
    better = verdict.get("against_mle") == "better"
    return better and verdict["label"] == "not distinguishable"


def explanation(record: Record) -> list[str]:
    """Explains what was compared and what the answer means, a paragraph each."""
    if not record.results:
        return [
            "This run has no results yet: it was interrupted, or is still at work. What follows "
            "is what it has logged so far."
        ]
    if record.objective is not None:
        return [
            "A model of sequences learned from the data alone (maximum likelihood, MLE). A "
            f"copy of it was then trained for a reward of your own: {record.reward}. MLE may spend "
            "as many calls of the reward: on the best of n of its samples, or on the best tenth of "
            "the data. A policy that repeats one good sequence has a high reward too, so distinct "
            "and new samples and the divergence from MLE stand beside it."
        ]
    if record.verdict is None:
        return [
            "A model that writes sequences was trained to predict the next token of its training "
            "data (maximum likelihood, MLE). The table sets its samples beside real ones. Nothing "
            "was compared: fine-tuning is a step of its own.",
        ]
    return [
        _compared(record), _result(record.verdict), *_against_control(record), *_learnable(record),
        *_members(record),
    ]  # fmt: skip


def _compared(record: Record) -> str:
    judge = "to please a second network, the discriminator, that tries to tell real from generated"
    if record.reward in CONTROLS:
        judge = f"on a reward with nothing to teach, {CONTROLS[record.reward]}: a control"
    elif record.reward == "ratio":
        judge = (
            "to write what an ensemble of other MLE models of the same data finds likelier than it "
            "does itself (the density ratio)"
        )
    elif "discriminator" not in record.reward:
        judge = f"on another reward, {record.reward}"
    return (
        "Two models that write sequences were compared. The first (MLE) learned from the data "
        "alone, by predicting the next token. The second (fine-tuned) began as a copy of it and "
        f"was then trained {judge}. A model that plays safe and writes less varied sequences looks "
        "better on most metrics without being better. So both were made more and less daring "
        "(the softmax temperature), and compared where they are equally varied."
        f"{_ways(record)}"
    )


def _ways(record: Record) -> str:
    """Says how else the models were sampled."""
    verdict = record.verdict or {}
    variants = (record.results.get("sweep") or {}).get("variants") or {}
    if not any(variants.values()):
        metric = PRIMARY.get(verdict["metric"])
        return f" {metric.excluded}" if metric is not None and metric.excluded else ""
    return (
        " Both were also sampled in two other ways, without unlikely tokens (top-p) and without "
        "unlikely sequences (rejection). The fine-tuned model was best with "
        f"{verdict.get('finetuned_way') or 'its samples as they are'}, MLE at that diversity with "
        f"{verdict.get('mle_way') or 'none of them'}."
    )


def _result(verdict: dict[str, Any]) -> str:
    metric = PRIMARY.get(verdict["metric"])
    measure = verdict["metric"] if metric is None else metric.meaning
    if verdict["difference"] is None:
        return (
            "Here no such point exists: the fine-tuned model's diversity "
            f"({verdict['finetuned_entropy']:.3f} nats per token) lies outside everything that "
            "MLE reaches in the ways tried, so any difference could be diversity alone. More "
            "temperatures (--evaluation.temperatures) may make them comparable."
        )
    low, high = verdict["interval"]
    return (
        f"They were measured by {measure}. MLE has {verdict['mle_value']:.4f}, the fine-tuned "
        f"model {verdict['finetuned_value']:.4f}. Corrected for what is left of a difference in "
        f"diversity, the difference is {verdict['difference']:+.4f}; its "
        f"{verdict['confidence']:.0%} interval runs from {low:+.4f} to {high:+.4f}. "
        f"{_conclusion(verdict.get('against_mle', verdict['label']), low, high)} "
        f"{_size(verdict)}"
    ).rstrip()


def _size(verdict: dict[str, Any]) -> str:
    """The size of a difference that was found, in words."""
    label, effect = verdict.get("against_mle", verdict["label"]), verdict.get("effect")
    if label not in ("better", "worse"):
        return ""
    return "" if effect is None else f"The size of the difference is {effect}."


def _against_control(record: Record) -> list[str]:
    """Says how the control did; empty if there was none."""
    control = record.results.get("control")
    if control is None:
        return []
    text = (
        "A control shows what the training does by itself: the same steps from the same MLE model, "
        "with a random number as the reward of each sequence. "
    )
    between, alone = control["against_method"], control["against_mle"]
    if alone["interval"] is not None:
        low, high = alone["interval"]
        text += (
            f"Against MLE it has a difference of {alone['difference']:+.4f} ({low:+.4f} to "
            f"{high:+.4f}): {alone['label']}. "
        )
    if between["interval"] is None:
        return [text + "At no temperature tried is it as varied as the fine-tuned model."]
    low, high = between["interval"]
    return [
        f"{text}The fine-tuned model minus the control is {between['difference']:+.4f} "
        f"({low:+.4f} to {high:+.4f}): {between['label']}."
    ]


def _conclusion(label: str, low: float, high: float) -> str:
    if label == "not distinguishable" and not low <= 0 <= high:
        return TOO_SMALL
    return CONCLUSIONS.get(label, "")


def _learnable(record: Record) -> list[str]:
    """Says if the discriminator had anything to teach when the rounds began."""
    lines = record.log.get("discriminator", [])
    rounds = record.log.get("validation", [])
    if rounds:
        lines = [line for line in lines if line["time"] <= rounds[0]["time"]]
    lines = [line for line in lines if line.get("heldout_cross_entropy") is not None]
    if not lines:
        return []
    kept = lines[-1]
    if record.setting("critic", "early_stopping", True):  # by what training chose
        kept = min(lines, key=lambda line: line["heldout_cross_entropy"])
    return [
        "Was there anything to learn? Before the adversarial rounds, the discriminator "
        f"{teaching(kept)}"
    ]


def _members(record: Record) -> list[str]:
    """Says who the members of the ensemble are that the reward is made of."""
    found = (record.results.get("adversarial") or {}).get("members")
    if found is None:
        return []
    sizes, own = found["parameters"], found["policy_parameters"]
    each = f"{sizes[0]:,}" if len(set(sizes)) == 1 else f"{min(sizes):,} to {max(sizes):,}"
    many = f"{len(sizes)} other MLE models" if len(sizes) > 1 else "another MLE model"
    text = f"The reward compares the policy with {many} of {each} parameters"
    if max(sizes) <= own:
        return [f"{text}{' each' * (len(sizes) > 1)}; the policy has {own:,}."]
    return [f"{text}. The policy has {own:,}: what it learns is distillation of larger models."]


def cautions(record: Record) -> list[str]:
    """Cautions for a careful reader; empty if there are none."""
    if record.verdict is not None:
        return list(record.verdict.get("cautions", []))
    found = record.results.get("pretraining")
    if found is None or found["state"] == "converged":
        return []
    return [UNFIT[found["state"]].format(**found)]
