"""The control: the same fine-tuning with a reward that knows nothing.

Policy gradient moves a policy whatever its reward says, and the best of many states on validation
looks better than the first. So what a method gains is compared with what the same steps gain from
noise: every sequence gets a reward from N(0, s), where s is the spread of the method's own
advantages. Start, updates, learning rate, number of rounds and selection on validation are the
method's; there is no discriminator to train, and no rollout, since noise needs none. A method
whose advantages are all alike (scheduled sampling) has s = 0, and noise does not move its control.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rollout import ConstantReward, Sequences

from ..config import PolicyGradient as Settings
from ..config import RunConfig
from ..config.algorithms import DiversityConfig, ReplayConfig
from ..data.dataset import Dataset
from ..models import Discriminator, Generator
from ..runs.state import Stateful
from .adversarial import adversarial
from .again import mle_again
from .players import Materials
from .policy_gradient import PolicyGradient
from .processes import Part
from .rounds import Rounds, Validation
from .runtime import Runtime
from .sampling import Judged
from .scratch import at_the_start

__all__ = ["NoiseGradient", "run_control"]


class NoiseGradient(PolicyGradient):
    """Policy gradient on rewards drawn from N(0, s).

    Args:
        settings: those of the method.
        materials: the pretrained generator and what it is trained with.
        noise: s, the spread of the method's advantages.
    """

    def __init__(self, settings: Settings, materials: Materials, noise: float):
        self.noise = noise
        # What is transformed is a judgement; s is the spread of what came of the method's.
        plain = replace(
            settings, rollouts=0, rollout_update_rate=0.0, transform="none",
            baseline="leave_one_out" if settings.baseline == "value" else settings.baseline,
            replay=ReplayConfig(), diversity=DiversityConfig(),
            explorer_rate=0.0,
            discount=1.0,  # s is that of returns; discounted, the noise would be almost none
        )  # fmt: skip
        super().__init__(plain, materials)

    def judged(self, whole: Sequences, part: Part, mine: Sequences) -> Judged:
        """A number from N(0, s) for each sequence."""
        rng = self.runtime.rng(self.stage, "noise", self.progress.number)
        drawn = torch.randn(part.total, generator=rng).to(whole.device) * self.noise
        return Judged(drawn[part.rows], drawn, {})

    def own_reward(self, mine: Sequences) -> Tensor | None:
        """None: what a generator rewards itself for is no noise."""
        return None


def run_control(
    generator: Generator,
    reference: Generator,
    spread: float,
    config: RunConfig,
    data: Dataset,
    validate: Validation,
    runtime: Runtime,
    memory: Stateful | None = None,
    discriminator: Discriminator | None = None,
) -> Rounds:
    """Trains the control of a method whose rounds are done, or what is left of it.

    Args:
        generator: a copy of the pretrained policy, trained in place.
        reference: the pretrained policy.
        spread: of the method's advantages.
        config: the method's settings.
        data: the data set.
        validate: measures the control's policy.
        runtime: device, seed, log.
        memory: what `validate` remembers from one measurement to the next.
        discriminator: of the method, as it is now. A generator that reads it sees it once, and is
            trained by MLE again as the method was: its features, which are no reward, are part of
            the policy.
    """
    settings = config.algorithm.as_policy_gradient()
    at_the_start(generator, config, data)
    if discriminator is not None:
        generator.see(discriminator)
        if not runtime.past("adversarial"):  # else it is resumed within its rounds
            mle_again(generator, discriminator, config, data, runtime, "control-again")
    if spread == 0:
        runtime.say(
            "Control: the method's advantages have no spread, so it has no noise: its policy stays "
            "as it begins, but for other terms of the loss"
        )
    materials = Materials(
        generator, reference, ConstantReward(0.0), None, data.train, data.prompts(), runtime,
        "control", constraint=data.constraint,
    )  # fmt: skip
    player = NoiseGradient(settings, materials, spread)
    # If its loss is not finite, its best state still serves.
    rounds = Rounds(
        player, None, replace(config.adversarial, on_trouble="stop"), runtime, stage="control"
    )
    parts: dict[str, Any] = {"control_model": generator, "control": rounds, "noise": player}
    runtime.enter("control", **parts, **({} if memory is None else {"control_sweep": memory}))
    adversarial(rounds, validate)
    runtime.save()
    return rounds
