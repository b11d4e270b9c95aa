"""The end of a run: its models are measured and compared, and its folder gets the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rollout import RewardError, Sequences

from ..config import RunConfig
from ..config.reward_calls import planned_calls
from ..data.dataset import Dataset
from ..evaluation.action_values import token_values
from ..evaluation.answer import UNFIT, Answer, answer
from ..evaluation.comparison import Compared, Comparison, Sweep, Swept, compare_with_control
from ..evaluation.extremes import extremes
from ..evaluation.models import Evaluator, real_texts
from ..evaluation.objective import Objective
from ..evaluation.objective_verdict import UNSETTLED, ObjectiveVerdict, verdict_of
from ..evaluation.raters import DiscriminatorRater, reward_rater
from ..metrics import Score
from ..models import Generator
from ..report import write_report
from ..report.console import print_objective, print_results
from ..runs.run_directory import (
    ASKED,
    FORMAT,
    RESULTS,
    RunDirectory,
    write_bytes,
    write_json,
    write_text,
)
from ..training.fine_tuning import FineTuning
from ..training.members import member_sizes
from ..training.pretrain import Convergence, convergence_of
from ..training.rounds import Rounds
from ..training.runtime import Runtime

__all__ = ["RunResult", "Tuned", "finish"]


@dataclass(frozen=True)
class RunResult:
    """Results of a run in memory.

    Of several processes the main one alone measures: in the others there are no scores, no
    comparison and no results.

    Attributes:
        path: the run's folder.
        data: the data set, with no more sequences to measure on than the settings allow.
        mle: the pretrained policy.
        finetuned: the fine-tuned policy, or None.
        scores: for "mle", "finetuned" and "real" their scores.
        comparison: of the fine-tuned model with MLE: sweeps and verdict, or None.
        results: what `results.json` holds.
        answer: what it all comes to, or None where nothing was compared.
    """

    path: Path
    data: Dataset
    mle: Generator
    finetuned: Generator | None
    scores: dict[str, list[Score]]
    comparison: Comparison | None
    results: dict[str, Any]
    answer: Answer | None = None


@dataclass(frozen=True)
class Tuned:
    """The models after fine-tuning, for the comparison.

    Attributes:
        work: generator, reference and discriminator.
        rounds: the record of the rounds.
        sweep: measures models at temperatures; None: they are measured by the objective.
        objective: measures models by a reward of the user's, or None.
        control: the record of the rounds with a random reward, or None.
        noise: the generator that those rounds made, or None.
    """

    work: FineTuning
    rounds: Rounds
    sweep: Sweep | None
    objective: Objective | None
    control: Rounds | None
    noise: Generator | None

    def summary(self) -> dict[str, Any]:
        """Summary of the rounds for results.json."""
        found = {**self.rounds.summary(), "spread": self.work.player.spread}
        if self.work.ensemble is not None:
            found["members"] = member_sizes(self.work.ensemble.members, self.work.generator)
        return found

    def models(self) -> dict[str, Generator]:
        """Both models by name."""
        return {"mle": self.work.reference, "finetuned": self.work.generator}


def finish(
    config: RunConfig,
    data: Dataset,
    runtime: Runtime,
    models: dict[str, Generator],
    pretrained: RunDirectory | None,
    tuned: Tuned | None = None,
) -> RunResult:
    """Measures, compares, prints and writes; the same each time, so it may be ended and redone.

    That is the work of the main process; the others are done.
    """
    assert runtime.run is not None
    runtime.processes.part_ways()
    path, finetuned = runtime.run.path, models.get("finetuned")
    if not runtime.processes.is_main:
        return RunResult(path, data, models["mle"], finetuned, {}, None, {})
    runtime.interruption.patient = False
    pretraining = convergence_of(pretrained)
    found = _measured(config, data, runtime, models, pretraining, tuned)
    shown = _write_samples(config, data, runtime, path, found.drawn)
    results = _results(config, data, pretraining, found)
    write_json(path / RESULTS, results)
    print_results(runtime.console, found.scores, shown, found.said)
    if results["objective"]:
        print_objective(runtime.console, results["objective"])
    runtime.end_tracking()
    runtime.say(f"Report: {write_report(runtime.run)}")
    runtime.say(f"Run: {path}")
    return RunResult(
        path, data, models["mle"], finetuned, found.scores, found.comparison, results, found.said
    )


@dataclass(frozen=True)
class Measured:
    """Measurements at the end of a run.

    Attributes:
        scores: of each model, of its control and of real sequences.
        drawn: for each model the samples behind its scores.
        entries: of `results.json`, about the fine-tuning.
        said: the answer; None: nothing was compared with swept MLE.
        comparison: of the fine-tuned model with swept MLE, or None.
    """

    scores: dict[str, list[Score]]
    drawn: dict[str, Sequences]
    entries: dict[str, Any]
    said: Answer | None = None
    comparison: Comparison | None = None


def _measured(
    config: RunConfig,
    data: Dataset,
    runtime: Runtime,
    models: dict[str, Generator],
    pretraining: Convergence,
    tuned: Tuned | None,
) -> Measured:
    """Scores of all models, and the comparison of the fine-tuned one with MLE."""
    evaluator = Evaluator(data, config.evaluation, config.seed)
    scores: dict[str, list[Score]] = {}
    drawn: dict[str, Sequences] = {}
    with runtime.progress("Evaluation", "parts", len(models) + 3) as bar:
        for name, model in models.items():
            scores[name], drawn[name] = evaluator.model(model, name)
            bar.advance()
        if tuned is not None and tuned.noise is not None:
            scores["control"], _ = evaluator.model(tuned.noise, "control")
        bar.advance()
        scores["real"] = evaluator.real()
        shown = {"distributions": evaluator.distributions(drawn)}
        bar.advance()
        if tuned is None:
            return Measured(scores, drawn, shown)
        if tuned.objective is not None:
            planned = planned_calls(config)
            chosen = (len(tuned.rounds.history) + planned.before) * planned.validation
            made = tuned.work.judged(tuned.rounds) + chosen
            unfit = UNFIT.get(pretraining.state, "").format(**pretraining._asdict())
            policy = models["finetuned"]
            judged = verdict_of(
                tuned.objective, policy, made, config, runtime, unfit, policy.max_length
            )
            if not tuned.work.player.settled:
                judged = replace(judged, sentence=f"{judged.sentence} {UNSETTLED}")
            shown |= {"adversarial": tuned.summary(), "objective": judged.to_dict()}
            shown |= _explained(data, policy, tuned.objective, judged, runtime)
            return Measured(scores, drawn, shown)
        compared = _compared(models, tuned)
        said = answer(
            compared, pretraining, config, tuned.summary(), len(data.test),
            scores["real"], tuned.control is not None and tuned.control.stopped,
        )  # fmt: skip
        entries = shown | _found(tuned, compared, said)
        entries |= _looked_into(config, data, models["finetuned"], tuned, drawn["finetuned"])
    return Measured(scores, drawn, entries, said, compared.method)


def _results(
    config: RunConfig, data: Dataset, pretraining: Convergence, found: Measured
) -> dict[str, Any]:
    """The content of `results.json`."""
    return {
        "format": FORMAT,
        "source": config.data,
        "seed": config.seed,
        "data": data.report,
        "pretraining": pretraining._asdict(),
        "adversarial": None,
        "control": None,
        "verdict": None,
        "scores": {name: [asdict(score) for score in rows] for name, rows in found.scores.items()},
        "sweep": None,
        "action_values": None,
        "explained": None,
        "objective": None,
        "distributions": {},
        **found.entries,
    }


def _write_samples(
    config: RunConfig, data: Dataset, runtime: Runtime, path: Path, drawn: dict[str, Sequences]
) -> dict[str, list[str]]:
    """Writes the samples of each model, and real sequences; returns some lines of each."""
    shown: dict[str, list[str]] = {}
    for name, sequences in {"real": data.test, **drawn}.items():
        lines = real_texts(data, "test") if name == "real" else data.codec.texts(sequences)
        shown[name] = lines[: config.evaluation.show]
        place = path / "samples" / name
        write_text(place.with_suffix(".txt"), "".join(f"{x}\n" for x in lines))
        if asked := data.conditions.words(sequences.condition):
            write_text(place.with_suffix(ASKED), "".join(f"{x}\n" for x in asked))
        if data.codec.suffix != ".txt":
            data.codec.show(sequences, place)
        picture = data.codec.picture(sequences)
        if picture is not None:  # nobody reads it as text
            write_bytes(place.with_suffix(".png"), picture)
            shown[name] = [f"{place.with_suffix('.png')} shows them"]
            runtime.show_picture(f"samples/{name}", picture)
    return shown


def _compared(models: dict[str, Generator], tuned: Tuned) -> Compared:
    """The method, its control and MLE, each with each."""
    assert tuned.sweep is not None
    mle = Swept(models["mle"], tuned.sweep)
    method, control = Swept(models["finetuned"], tuned.sweep), None
    if tuned.noise is not None:
        control = Swept(tuned.noise, tuned.sweep.halved())
    return compare_with_control(mle, method, control)


def _found(tuned: Tuned, compared: Compared, said: Answer) -> dict[str, Any]:
    """The entries of `results.json` about method and control."""
    found = {
        "adversarial": tuned.summary(),
        "verdict": said.to_dict(),
        "sweep": compared.to_dict(),
    }
    if tuned.control is not None and said.control is not None and said.against_control is not None:
        found["control"] = {
            **tuned.control.summary(),
            "against_mle": said.control.to_dict(),
            "against_method": said.against_control.to_dict(),
        }
    return found


def _looked_into(
    config: RunConfig, data: Dataset, policy: Generator, tuned: Tuned, samples: Sequences
) -> dict[str, Any]:
    """Samples of the fine-tuned model token by token: action values, and the extremes."""
    work = tuned.work
    if work.critic is None:
        rater = reward_rater(work.reward(config.rewards), data)
        return {"explained": extremes(policy, rater, samples, data)}
    model, calibrated = work.critic.trained, work.critic.calibrated
    rater = DiscriminatorRater.of(model, data, calibrated)
    found = {"explained": extremes(policy, rater, samples, data)}
    if calibrated:  # they are said to be log-odds
        found["action_values"] = token_values(
            policy, model, samples, data.test, data.codec, config.seed
        )
    return found


def _explained(
    data: Dataset, policy: Generator, objective: Objective, judged: ObjectiveVerdict,
    runtime: Runtime,
) -> dict[str, Any]:  # fmt: skip
    """The extremes among the samples of the verdict, whose rewards are known."""
    rater = reward_rater(objective.reward, data, whole=not judged.explains)
    rewards = torch.from_numpy(judged.rewards).float().to(judged.samples.device)
    try:
        return {"explained": extremes(policy, rater, judged.samples, data, rewards)}
    except RewardError as error:  # of a sample without one of its tokens; the results stand
        runtime.say(f"No samples are explained: {error}")
        return {}
