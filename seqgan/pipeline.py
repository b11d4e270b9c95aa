"""The whole path: begin, pretrain by MLE, fine-tune, compare, report."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from typing_extensions import Unpack

from rollout import RewardError, Sequences
from rollout.modules import frozen_copy, own_copy

from .config import FinetuneConfig, RunConfig
from .config.reading import run_config
from .config.reward_calls import announced, planned_calls
from .data.constraints import check_allowed
from .data.dataset import Dataset
from .errors import ConfigError
from .evaluation.action_values import token_values
from .evaluation.answer import UNFIT, Answer, answer
from .evaluation.comparison import Compared, Comparison, Sweep, Swept, compare_with_control
from .evaluation.extremes import extremes
from .evaluation.models import Evaluator, real_texts
from .evaluation.objective import Objective
from .evaluation.objective_verdict import UNSETTLED, ObjectiveVerdict, verdict_of
from .evaluation.raters import DiscriminatorRater, reward_rater
from .evaluation.text_scores import check_available
from .metrics import Score
from .models import Generator, load_generator, make_generator
from .report import write_report
from .report.console import print_objective, print_results
from .rewards.build import check_rewards
from .runs.resume import folder_of
from .runs.run_directory import (
    ASKED,
    FORMAT,
    PRETRAINING,
    RESULTS,
    RunDirectory,
    write_bytes,
    write_json,
    write_text,
)
from .seeding import derive_seed
from .training.begin import begin, check_config, files_found, on_data_of, source_run
from .training.callbacks import CallbackArguments, Callbacks
from .training.control import run_control
from .training.fine_tuning import FineTuning
from .training.fresh import FreshSamples
from .training.members import member_sizes, run_members
from .training.pretrain import Convergence, convergence_of, pretrain
from .training.rounds import Rounds
from .training.runtime import MLE_SAMPLES, Runtime
from .training.sampling import MOST_SAMPLES
from .training.showing import SampleTable
from .training.transfer import beginning

__all__ = ["RunResult", "finetune", "pretrain_only", "run"]


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


def run(
    config: RunConfig, console: Console | None = None, **callbacks: Unpack[CallbackArguments]
) -> RunResult:
    """Pretrains by MLE, fine-tunes adversarially, compares both, and writes the run's folder.

    Args:
        config: all settings.
        console: where progress and tables are shown; None: nowhere.
        **callbacks: `on_step`, `on_round`, `on_sample`, see `seqgan.training.callbacks`.

    Raises:
        SeqganError: a setting, the data, or the output folder is not as it should be; nothing is
            written then.
        RunInterrupted: SIGINT or SIGTERM came; the message says how to resume.
    """
    config, first = _with_beginning(files_found(config))
    check_available(config.evaluation)
    check_rewards(config.every_term(), config.reward, config.corpus.names())
    told = Callbacks(**callbacks)
    runtime, data = begin("run", config, console, callbacks=told, first=first)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime, first)
        tuned = _fine_tuned(config, data, generator, runtime)
        return _finish(config, data, runtime, tuned.models(), runtime.run, tuned)


def pretrain_only(config: RunConfig, console: Console | None = None) -> RunResult:
    """MLE pretraining alone, and its scores."""
    config, first = _with_beginning(files_found(config))
    check_available(config.evaluation)
    runtime, data = begin("pretrain", config, console, first=first)
    with runtime.interruption:
        generator = _pretrained(config, data, runtime, first)
        return _finish(config, data, runtime, {"mle": generator}, runtime.run)


def finetune(
    config: RunConfig,
    pretrained: RunDirectory | str | os.PathLike[str],
    console: Console | None = None,
    **callbacks: Unpack[CallbackArguments],
) -> RunResult:
    """Adversarial fine-tuning of the generator of another run, compared with it.

    Args:
        config: all settings; the data must be those of the pretrained run.
        pretrained: the run whose MLE generator is taken, or its folder.
        console: where progress and tables are shown; None: nowhere.
        **callbacks: as of `run`.
    """
    check_config(config)
    check_rewards(config.every_term(), config.reward, config.corpus.names())
    pretrained = source_run(config, pretrained)
    generator = load_generator(pretrained.checkpoint("mle") / "generator")
    trained = run_config(pretrained.config(), str(pretrained.path / "config.yaml"))
    first = None
    if isinstance(config, FinetuneConfig) and config.transfer:
        first = generator
        resumed = folder_of(config) == pretrained.path  # which knows where it began
        began = trained.pretrain.run if resumed else str(pretrained.path)
        config = replace(config, pretrain=replace(config.pretrain, run=began))
    else:
        config = on_data_of(config, trained, pretrained)
    if config.generator != trained.generator:
        raise ConfigError(
            f"--generator: {pretrained.path} holds a generator of other settings; leave them out"
        )
    check_available(config.evaluation)
    ended = convergence_of(pretrained)  # an error of its log comes now, not after hours
    told = Callbacks(**callbacks)
    runtime, data = begin("finetune", config, console, pretrained, told, first)
    with runtime.interruption:
        generator.to(runtime.device)
        runtime.hold(runtime=runtime, generator=generator)
        if not runtime.past("pretrain"):
            if runtime.processes.is_main and runtime.run is not None:
                write_json(runtime.run.path / PRETRAINING, ended._asdict())
            _keep_pretrained(runtime)
        tuned = _fine_tuned(config, data, generator, runtime)
        return _finish(config, data, runtime, tuned.models(), pretrained, tuned)


def _with_beginning(config: RunConfig) -> tuple[RunConfig, Generator | None]:
    """The generator of another run that training begins with, and the settings with its own."""
    first = beginning(config)
    return (config, None) if first is None else (replace(config, generator=first.settings), first)


def _pretrained(
    config: RunConfig, data: Dataset, runtime: Runtime, generator: Generator | None
) -> Generator:
    """The generator after MLE, begun from the given one; from a checkpoint, if there is one."""
    if generator is None:
        seed = derive_seed(config.seed, "generator")
        generator = make_generator(config.generator, data.spec, seed)
    runtime.hold(runtime=runtime, generator=generator)
    if not runtime.past("pretrain"):
        table = SampleTable(data.codec, config.evaluation.show, 1, runtime)
        show = FreshSamples(table, data, MLE_SAMPLES)
        pretrain(generator, data.train, data.validation, config.pretrain, runtime, show)
        _keep_pretrained(runtime)
    return generator.to(runtime.device)


def _keep_pretrained(runtime: Runtime) -> None:
    runtime.enter("pretrained")
    runtime.save("mle")


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


def _fine_tuned(config: RunConfig, data: Dataset, generator: Generator, runtime: Runtime) -> Tuned:
    """Plays the rounds and the control, or what is left of them."""
    reference = frozen_copy(generator)
    runtime.hold(reference=reference)
    ensemble = run_members(config, data, runtime)
    work = FineTuning(config, data, generator, reference, runtime, ensemble)
    if config.for_objective:
        reward, planned = work.reward(config.rewards), planned_calls(config)
        runtime.say(announced(config, generator.max_length, min(len(data.train), MOST_SAMPLES)))
        objective = Objective(
            reward, reference, data, config.evaluation, config.seed, planned.validation,
            runtime.saved_before,
        )  # fmt: skip
        return Tuned(work, work.run(objective.validate), None, objective, None, None)
    check_allowed(data)
    sweep = Sweep(data, config.evaluation, config.seed)
    runtime.hold(sweep=sweep)
    if not runtime.past("critic"):  # otherwise it was settled before
        runtime.processes.agree(lambda: sweep.settle(reference))
    rounds, control, noise = work.run(sweep.validate), None, None
    if config.evaluation.control:
        half = sweep.halved()
        noise = own_copy(reference).requires_grad_(True)
        spread = work.player.spread
        control = run_control(
            noise, reference, spread, config, data, half.validate, runtime, half,
            discriminator=work.discriminator,
        )  # fmt: skip
    return Tuned(work, rounds, sweep, None, control, noise)


def _finish(
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
