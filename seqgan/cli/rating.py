"""The rater of a run for ``seqgan explain``, made from the run's folder."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from rollout import Reward

from ..config import ExplainConfig, RunConfig
from ..config.reading import run_config
from ..config.reward_calls import planned_calls
from ..config.rewards import FunctionTerm
from ..data.codec import Codec
from ..data.dataset import Dataset
from ..evaluation.objective import centre_on_mle
from ..evaluation.raters import DiscriminatorRater, Rater, reward_rater
from ..hub import JUDGE
from ..models import Ensemble, Generator, load_discriminator, load_generator
from ..models.gan_losses import calibrated
from ..rewards.build import build_reward
from ..rewards.ingredients import Ingredients
from ..runs.run_directory import RunDirectory
from ..terminal import say
from ..training.members import kept_ensemble
from ..training.other_models import other_model

__all__ = ["rater_of"]

NO_ROUNDS = (
    "Nothing judges: the run has no fine-tuned model (its rounds are not done, or it has none)."
)


def rater_of(
    settings: ExplainConfig,
    directory: RunDirectory,
    name: str,
    policy: Generator,
    codec: Codec,
    data: Dataset,
    console: Console,
) -> tuple[Rater | None, list[str]]:
    """The rater of a run, and sentences about where it comes from.

    Args:
        settings: of the command.
        directory: the run.
        name: checkpoint of the policy.
        policy: the generator that is explained.
        codec: of the run.
        data: the run's.
        console: for warnings.
    """
    config = run_config(directory.config(), str(directory.path / "config.yaml"))
    device = policy.head.weight.device
    # A checkpoint that was written after MLE knows no judge yet: the run's own came later.
    later = next((each for each in ("finetuned", "latest") if directory.has(each)), name)
    for each in dict.fromkeys((name, later)):
        model = load_discriminator(directory.checkpoint(each) / JUDGE, codec, device)
        if model is not None:
            remarks = []
            if each != name:
                remarks = [f"The discriminator is that of the model {each}: {name} has none yet."]
            right = calibrated(model, config.critic)
            return DiscriminatorRater.of(model, data, right), remarks
    if not directory.has("finetuned"):
        return None, [NO_ROUNDS]
    missing = [
        term.name for term in config.rewards
        if isinstance(term, FunctionTerm) and term.name not in settings.rewards
    ]  # fmt: skip
    if missing:
        named = f"[{', '.join(missing)}]"
        return None, [
            f"Nothing judges: the run's reward is not built in; --rewards '{named}' imports it."
        ]
    reward = _reward(config, directory, policy, data, console)
    remarks = ["There is no discriminator: the judge is the reward of the run."]
    if any(term.needs_mediator for term in config.rewards) or config.ensemble.refresh:
        remarks.append("What the reward is made of is as the rounds have left it.")
    return reward_rater(reward, data), remarks


def _reward(
    config: RunConfig, directory: RunDirectory, policy: Generator, data: Dataset, console: Console
) -> Reward:
    """The reward of a run, for the model that is explained."""
    device = policy.head.weight.device
    reference = load_generator(directory.checkpoint("mle") / "generator", device)
    mediator = None
    if any(term.needs_mediator for term in config.rewards):
        found = load_generator(directory.checkpoint("finetuned") / "mediator", device)
        mediator = Ensemble([found])
    given = Ingredients.of(
        config, data, policy, reference, device,
        load=lambda folder: other_model(folder, data).to(device),
        say=lambda text: say(console, text),
        ensemble=kept_ensemble(config, directory, device), mediator=mediator,
    )  # fmt: skip
    reward = build_reward(config.rewards, replace(given, skip=True))
    # The shape "standardise" measures by the same samples of MLE as in the run's own comparison.
    centre_on_mle(reward, reference, data, planned_calls(config).validation, config.seed)
    return reward
