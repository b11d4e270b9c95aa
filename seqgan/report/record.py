"""The record of a run, read from its folder; everything but the settings may be missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.format import CONFIG_FORMAT, check_format
from ..errors import ConfigError, RunDirectoryError
from ..runs.run_directory import ASKED, CONFIG, LOG, RESULTS, RunDirectory

__all__ = ["MODELS", "Record", "read_record"]

MODELS = {
    "mle": "MLE",
    "finetuned": "Fine-tuned",
    "control": "Control",
    "real": "Real (test)",
}
"""The columns of every comparison, in this order, and their titles."""


@dataclass(frozen=True)
class Record:
    """A run as its folder has it.

    Attributes:
        name: of the folder.
        settings: `config.yaml` as text.
        config: the same as plain data.
        command: the command line that made the run, as far as it is known.
        environment: `environment.json`, or empty.
        log: for each stage of `metrics.jsonl` its lines.
        results: `results.json`, or empty where the run is not finished.
        samples: for each model the lines of its file in `samples/`.
        pictures: for each model the picture of its samples there, as PNG, if there is one.
        drawings: for each model a drawing of its first samples, as SVG, if there is one.
        sounds: for each model its first samples as MIDI, if they are music.
    """

    name: str
    settings: str
    config: dict[str, Any]
    command: str = "unknown"
    environment: dict[str, Any] = field(default_factory=dict)
    log: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, list[str]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    drawings: dict[str, bytes] = field(default_factory=dict)
    sounds: dict[str, bytes] = field(default_factory=dict)

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The verdict, or None where nothing was compared."""
        return self.results.get("verdict")

    @property
    def objective(self) -> dict[str, Any] | None:
        """The verdict by a reward of the user's own, or None."""
        found: dict[str, Any] | None = self.results.get("objective")
        return found

    @property
    def metric(self) -> str:
        """Name of the primary metric; empty if nothing was compared."""
        return (self.verdict or {}).get("metric", "")

    @property
    def confidence(self) -> float:
        """The level of the intervals."""
        return float(self.setting("evaluation", "confidence", 0.95))

    def setting(self, group: str, name: str, default: Any) -> Any:
        """A setting of a group, or the default where an old run has no such setting."""
        values = self.config.get(group)
        return values.get(name, default) if isinstance(values, dict) else default

    @property
    def reward(self) -> str:
        """The terms of the reward, as text: ``discriminator (log_odds)``."""
        terms = self.config.get("rewards") or []
        return " + ".join(
            f"discriminator ({each.get('form', 'log_odds')})"
            if each["name"] == "discriminator"
            else each["name"]
            for each in terms
        )

    def score(self, model: str, name: str) -> float | None:
        """The value of a score, or None."""
        for score in self.results.get("scores", {}).get(model, []):
            if score["name"] == name:
                return float(score["value"])
        return None


def read_record(run: RunDirectory) -> Record:
    """Reads a run's folder.

    Raises:
        RunDirectoryError: a file is damaged, or of another version of the toolkit.
    """
    config = run.config()
    try:
        check_format(config.get("config_format", CONFIG_FORMAT))
    except ConfigError as error:
        raise RunDirectoryError(f"{run.path / CONFIG}: {error}") from None
    finished = (run.path / RESULTS).is_file()
    samples, pictures, drawings, sounds = {}, {}, {}, {}
    for name in MODELS:
        path = run.path / "samples" / f"{name}.txt"
        if path.is_file():  # split at \n alone: other line breaks may stand within a sample
            samples[name] = _lines(path)
            if (asked := path.with_suffix(ASKED)).is_file():
                pairs = zip(_lines(asked), samples[name], strict=False)
                samples[name] = [f"[{what}] {line}" for what, line in pairs]
        if path.with_suffix(".png").is_file():
            pictures[name] = path.with_suffix(".png").read_bytes()
        if path.with_suffix(".svg").is_file():
            drawings[name] = path.with_suffix(".svg").read_bytes()
        if path.with_suffix(".mid").is_file():
            sounds[name] = path.with_suffix(".mid").read_bytes()
    return Record(
        run.path.resolve().name,
        (run.path / CONFIG).read_text(encoding="utf-8"),
        config,
        run.command(),
        _environment(run),
        _log(run),
        run.results() if finished else {},
        samples,
        pictures,
        drawings,
        sounds,
    )


def _environment(run: RunDirectory) -> dict[str, Any]:
    path = run.path / "environment.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunDirectoryError(f"{path}: cannot be read ({error})") from None
    return content if isinstance(content, dict) else {}


def _log(run: RunDirectory) -> dict[str, list[dict[str, Any]]]:
    """The log by stage. Of work that was done twice (after an interruption) the last counts."""
    try:
        lines = run.read_log()
    except ValueError as error:
        raise RunDirectoryError(f"{run.path / LOG}: cannot be read ({error})") from None
    stages: dict[str, dict[tuple[Any, Any], dict[str, Any]]] = {}
    for line in lines:
        key = (line["step"], line.get("round"))
        stages.setdefault(line["stage"], {})[key] = line
    return {stage: list(found.values()) for stage, found in stages.items()}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
