"""The verdict by its reward of an arm that is trained for a reward alone, and its table."""

from __future__ import annotations

from typing import Any

from rollout import Policy
from seqgan.config import RunConfig
from seqgan.evaluation.answer import UNFIT
from seqgan.evaluation.objective import Objective
from seqgan.evaluation.objective_verdict import verdict_of
from seqgan.evaluation.reward_rows import TITLES
from seqgan.models import Generator
from seqgan.rewards.build import build_reward
from seqgan.rewards.ingredients import Ingredients
from seqgan.training.other_models import other_model

from .arms import Lab
from .results import Result, grouped
from .table import Table

__all__ = ["objective_table", "reward_verdict"]


def reward_verdict(lab: Lab, policy: Policy, config: RunConfig, calls: int) -> dict[str, Any]:
    """The verdict by the mean reward at equal calls, as in the `results.json` of a run.

    The arms of a cell measure validation by likelihood, so the calls are those of training alone.
    MLE is the model that the arms share; if its training did not end well, nothing is better.

    Args:
        lab: the cell's data and its MLE model.
        policy: the model.
        config: its settings.
        calls: sequences that were judged in its training.
    """
    assert lab.mle is not None and isinstance(policy, Generator)
    mle: Any = lab.mle.policy
    runtime, data = lab.runtime(), lab.data
    given = Ingredients.of(
        config, data, policy, mle, runtime.device, say=runtime.say,
        load=lambda folder: other_model(folder, data).to(runtime.device),
    )  # fmt: skip
    reward = build_reward(config.rewards, given)
    objective = Objective(reward, mle, data, config.evaluation, config.seed)
    objective.settle()
    training = lab.starts(lab.config).first()[1]["training"]
    unfit = UNFIT.get(training["state"], "").format(**training)
    return verdict_of(objective, policy, calls, config, runtime, unfit).to_dict()


def objective_table(results: list[Result]) -> Table | None:
    """A row per model behind each arm with such a verdict, or None if there is none.

    Args:
        results: of one suite and size.
    """
    cells = [each for each in results if each.get("objective")]
    if not cells:
        return None
    rows = []
    for (title,), of_arm in grouped(cells, "title").items():
        for name, model in TITLES.items():
            found = [
                row for cell in of_arm for row in cell["objective"]["rows"] if row["name"] == name
            ]
            if not found:
                continue
            label = ", ".join(cell["objective"]["label"] for cell in of_arm)
            rows.append(
                [title, model, str(len(found)), _reward(found), *_means(found),
                 f"**{label}**" if name == "finetuned" else ""]
            )  # fmt: skip
    suite, size = cells[0]["suite"], cells[0]["size"]
    columns = [
        "arm", "model", "seeds", "mean reward ↑", "distinct", "new", "KL from MLE, nats",
        "reward calls", "verdicts of the seeds",
    ]  # fmt: skip
    notes = [
        "Mean reward of fresh samples over the seeds; in brackets the ends of their intervals, the "
        "lowest and the highest. MLE has as many reward calls as the training had, for the best of "
        "n of its samples, or for the best tenth of the training data, on which it goes on."
    ]
    return Table(f"reward-{suite}-{size}", f"{suite} by the reward", columns, rows, notes)


def _reward(rows: list[dict[str, Any]]) -> str:
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    return f"{_mean(rows, 'reward'):.3f} [{low:.3f}, {high:.3f}]"


def _means(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{_mean(rows, 'unique'):.1%}", f"{_mean(rows, 'novel'):.1%}", f"{_mean(rows, 'kl'):.1f}",
        f"{_mean(rows, 'calls'):,.0f}",
    ]  # fmt: skip


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    return float(sum(row[key] for row in rows) / len(rows))
