"""One cell, suite x size x seed: its shared MLE model, then its arms, each written when it is done.

A cell that was killed goes on where it was: the model and the finished arms are on disk, and every
random number is derived from the cell's seed, so the others come out as they would have.
"""

from __future__ import annotations

import datetime
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from seqgan.config import ReadingConfig, RunConfig
from seqgan.config.dotted import import_dotted
from seqgan.config.reading import run_config
from seqgan.data.dataset import Dataset
from seqgan.data.sources import run_data
from seqgan.errors import ConfigError
from seqgan.evaluation.comparison import Comparison, Point
from seqgan.training.members import member_sizes

from .arm_names import chosen_arms
from .arms import Lab, Measured
from .failures import CellError, failed, forget
from .files import Found, described, find_files, place_files
from .kept import Record
from .objectives import reward_verdict
from .recorder import Compute
from .results import FORMAT, CellPlace, Result, machine, read_arm, write_arm
from .suite import Arm, Suite

__all__ = ["CellJob", "run_cell", "suite_data"]


@dataclass(frozen=True)
class CellJob:
    """Everything that a worker needs to run a cell.

    Attributes:
        suite: the suite.
        place: size, seed and folders.
        data_dir: where files are found, or None.
        threads: of torch.
        command: the command line, for the result files.
        arms: names of those to run; None: all but the extra ones.
    """

    suite: Suite
    place: CellPlace
    data_dir: Path | None
    threads: int
    command: list[str]
    arms: frozenset[str] | None = None


def run_cell(job: CellJob, say: Callable[[str], None] = print) -> int:
    """Runs the missing arms of a cell; returns their number.

    An arm that raises an error does not keep the others from being run.

    Args:
        job: the cell.
        say: takes a line about the progress.

    Raises:
        CellError: arms failed; the others are done.
        SeqganError: files, settings or results are not as they should be.
    """
    torch.set_num_threads(job.threads)
    found = find_files(job.suite, job.data_dir)
    place = job.place
    inputs = described(job.suite.uses(place.size), job.suite.files, found)
    arms = job.suite.arms(place.size, place.seed)
    chosen = chosen_arms(arms, job.arms)
    missing = [arm for arm in chosen if not _is_done(place, arm, inputs)]
    if not missing:
        say(f"{place}: finished before")
        return 0
    with tempfile.TemporaryDirectory(prefix="seqgan-bench-") as work:
        settings = job.suite.settings(place.size, place.seed)
        shared, data = suite_data(job.suite, place.size, settings, found, Path(work))
        lab = Lab(shared, data, job.suite.metrics, place.folder)
        lab.show = _prefixed(f"{place}: MLE", say)
        started = time.monotonic()
        place.folder.mkdir(parents=True, exist_ok=True)
        kept = lab.begin()
        say(f"{place}: MLE model ready after {time.monotonic() - started:.0f} s")
        about = {
            "data": lab.fingerprint,
            "files": inputs,
            "absent": list(found.absent),
            "environment": machine(job.command),
        }
        errors = []
        for arm in missing:
            lab.show = _prefixed(f"{place}: {arm.name}", say)
            started = time.monotonic()
            try:
                body = _body(lab, arm, kept, place)
            except Exception as error:  # a method's own code may raise anything
                errors.append(failed(place, arm.name, error))
                continue
            seconds = time.monotonic() - started
            if arm.kind == "mle":
                seconds += kept["seconds"]
            head = _head(arm, place, arms.index(arm), job.suite)
            result = {**head, **about, **_now(seconds), **body, "config": arm.config}
            write_arm(place.arm(arm.name), result)
            forget(place, arm.name)
            say(f"{place}: {arm.name} done after {seconds:.0f} s")
    if errors:
        raise CellError(errors)
    return len(missing)


def suite_data(
    suite: Suite, size: str, settings: dict[str, Any], found: Found, work: Path
) -> tuple[RunConfig, Dataset]:
    """The settings with the paths of the data in them, and the data.

    Args:
        suite: the suite.
        size: name.
        settings: of the cell.
        found: the suite's files.
        work: folder for files that are made out of them.
    """
    corpus = _config(settings, {}).corpus
    reading = corpus if isinstance(corpus, ReadingConfig) else ReadingConfig()
    placed = place_files(suite.uses(size), found, work, reading)
    if suite.prepare is not None:
        make = import_dotted(suite.prepare, f"suite {suite.name}: prepare")
        placed |= make(found.paths, work)
    config = _config(settings, placed)
    return config, _data(suite, config)


def _prefixed(name: str, say: Callable[[str], None]) -> Callable[[str], None]:
    """Shows lines that begin with a name."""
    return lambda text: say(f"{name}: {text}")


def _is_done(place: CellPlace, arm: Arm, inputs: dict[str, str]) -> bool:
    """Tells if an arm's result is there; one of other settings is refused."""
    path = place.arm(arm.name)
    if not path.is_file():
        return False
    there = read_arm(path)
    wanted = {"config": arm.config, "method": arm.facts(), "files": inputs}
    for key, value in wanted.items():
        if there.get(key) != json.loads(json.dumps(value)):
            raise ConfigError(
                f"{path} was made with other settings ({_difference(there.get(key), value, key)}): "
                "choose another --output_dir, or remove the cell's folder"
            )
    return True


def _difference(there: Any, wanted: Any, name: str) -> str:
    """The first setting that differs, in words."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        for key in [*there, *wanted]:
            if there.get(key) != json.loads(json.dumps(wanted.get(key))):
                return _difference(there.get(key), wanted.get(key), f"{name}.{key}")
    return f"{name}: {there!r} there, {wanted!r} now"


def _config(settings: dict[str, Any], placed: dict[str, str]) -> RunConfig:
    """Settings with the paths of the data in them."""
    config = run_config(settings, "the suite")
    for role, path in placed.items():
        group, _, name = role.rpartition(".")
        setattr(getattr(config, group) if group else config, name, path)
    return config


def _data(suite: Suite, config: RunConfig) -> Dataset:
    """The data set, from the suite's own source where it has one."""
    if suite.source is not None:
        data = import_dotted(suite.source, f"suite {suite.name}: source")(config)
        if not isinstance(data, Dataset):
            raise ConfigError(
                f"suite {suite.name}: {suite.source} returned a {type(data).__name__}, not a "
                "seqgan.data.dataset.Dataset"
            )
        return data
    return run_data(config)


def _body(lab: Lab, arm: Arm, kept: Record, place: CellPlace) -> Result:
    """Measurements of an arm."""
    if arm.kind == "mle":
        compute = Compute.kept(kept)._asdict()
        return {
            "training": kept["training"], **_curves(kept), "compute": compute,
            **_measured(lab.baseline()),
        }  # fmt: skip
    if arm.method is None:
        return _measured(lab.ceiling(arm.name))
    config = _config(arm.config, {})
    if arm.method.measure is not None:
        runtime = lab.runtime()
        measured, record = lab.scores(arm, config, runtime), runtime.record()
        return {**_trained(lab, arm, config, record), **_measured(measured)}
    if arm.control_of is not None and config.rewards[0].name == "random":
        policy, record = lab.control(arm, config, _spread(place, arm.control_of))
        measured = lab.compared(policy, arm.name, half=True)
        return {**_trained(lab, arm, config, record), **_measured(measured)}
    policy, record = lab.model(arm, config)
    body, control = _trained(lab, arm, config, record), None
    if record.get("spread") is not None:
        if config.for_objective:
            body["objective"] = reward_verdict(lab, policy, config, record["calls"])
        body["spread"] = record["spread"]
        if arm.kind == "method" and "random" in arm.method.controls and config.evaluation.control:
            control, _ = lab.control(arm, config, record["spread"])
    return {**body, **_measured(lab.compared(policy, arm.name, control))}


def _trained(lab: Lab, arm: Arm, config: RunConfig, record: Record) -> Result:
    """The training of an arm, and who its members are."""
    found = {**_curves(record), "compute": lab.compute(arm, config, record)._asdict()}
    members = lab.members(arm, config)
    return {**found, "members": member_sizes(members, lab.start(arm, config))} if members else found


def _curves(record: Record) -> Result:
    return {key: record[key] for key in ("curves", "notes")}


def _spread(place: CellPlace, method: str) -> float:
    """The spread of a method's advantages, which its control's rewards have as well.

    Raises:
        ConfigError: the method has no result.
    """
    path = place.arm(method)
    if not path.is_file():
        raise ConfigError(f"{method} has no result, and its control needs to know its advantages")
    return float(read_arm(path)["spread"])


def _measured(found: Measured) -> Result:
    """Scores, sweep and verdicts as JSON has them."""
    result: Result = {"scores": [asdict(score) for score in found.scores], **found.more}
    if found.swept is not None:
        splits = ("validation", "test")
        result["sweep"] = {split: _points(found.swept.points(split)) for split in splits}
    if found.comparison is not None:
        result["verdict"] = _verdict(found.comparison)
        result["real"] = found.comparison.real
        assert found.swept is not None
        result["num_test"] = len(found.swept.sweep.data.test)
    if found.between is not None:
        result["against_control"] = _verdict(found.between)
    return result


def _verdict(comparison: Comparison) -> Result:
    """A verdict with its draws."""
    draws = [float(f"{draw:.5g}") for draw in comparison.verdict.draws]
    return {**comparison.verdict.to_dict(), "draws": draws}


def _points(points: list[Point]) -> list[dict[str, float | None]]:
    return [point.to_dict() for point in points]


def _head(arm: Arm, place: CellPlace, number: int, suite: Suite) -> Result:
    return {
        "format": FORMAT,
        "suite": place.suite,
        "size": place.size,
        "seed": place.seed,
        "arm": arm.name,
        "title": arm.title,
        "kind": arm.kind,
        "control_of": arm.control_of,
        "place": number,
        "method": arm.facts(),
        "rivals": _rivals(arm),
        "suite_title": suite.title,
        "columns": None if suite.columns is None else list(suite.columns),
        "published": suite.published,
    }


def _rivals(arm: Arm) -> list[str]:
    return [] if arm.method is None or arm.control_of is not None else list(arm.method.rivals)


def _now(seconds: float) -> Result:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"finished": now.isoformat(timespec="seconds"), "wall_seconds": round(seconds, 1)}
