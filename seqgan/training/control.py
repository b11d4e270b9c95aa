"""The control: the same fine-tuning with a reward that knows nothing.

Policy gradient moves a policy whatever its reward says, and the best of many states on validation
looks better than the first. So what a method gains is compared with what the same steps gain from
noise: every sequence gets a reward from N(0, s), where s is the spread of the method's own
advantages. Start, updates, learning rate, number of rounds and selection on validation are the
method's; there is no discriminator to train, and no rollout, since noise needs none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences
from rollout.modules import own_copy

from ..config import AdversarialConfig
from ..runs.state import Stateful, weights_for
from .adversarial import AdversarialTraining, Validation, do_rounds
from .processes import Part
from .runtime import Runtime

__all__ = ["Control", "run_control"]


def run_control(
    method: AdversarialTraining,
    validate: Validation,
    runtime: Runtime,
    memory: Stateful | None = None,
) -> Control:
    """Trains the control of a method whose rounds are done, or what is left of it.

    Args:
        method: the method; it is not changed.
        validate: measures the control's policy.
        runtime: device, seed, log.
        memory: what `validate` remembers from one measurement to the next.
    """
    parts: dict[str, Any] = {"adversarial": method}
    if method.discriminator is not None:
        parts |= {"discriminator": method.judge, "judge": method.discriminator}
    runtime.enter("control", **parts)  # the method first: the control begins with what it knows
    generator = own_copy(method.reference)
    for own, trained in zip(generator.parameters(), method.generator.parameters(), strict=True):
        own.requires_grad_(trained.requires_grad)
    work = Control(generator, method.config, method.spread, runtime)
    parts |= {"control": work} if memory is None else {"control": work, "control_sweep": memory}
    runtime.enter("control", **parts)
    do_rounds(work, validate, runtime)
    runtime.save()
    return work


class Control(AdversarialTraining):
    """The rounds of the control.

    Args:
        generator: the pretrained policy, trained in place.
        config: the method's settings.
        noise: standard deviation of the rewards: the spread of the method's advantages.
        runtime: device, seed, log.
    """

    stage, validation = "control", "control-validation"

    def __init__(
        self, generator: nn.Module, config: AdversarialConfig, noise: float, runtime: Runtime
    ):
        config = replace(
            config,
            reward="random",
            rollouts=0,
            rollout_update_rate=0.0,
            on_trouble="stop",  # where its loss is not finite, its best state still serves
        )
        self.noise = noise
        super().__init__(generator, None, config, runtime)

    def _values(self, sequences: Sequences, part: Part, rng: torch.Generator) -> Tensor:
        """A number from N(0, s) for each sequence, at all of its tokens [rows, T]."""
        drawn = torch.randn(part.total, generator=self.runtime.rng(self.stage, "noise", self.step))
        mine = drawn[part.rows].to(sequences.device) * self.noise
        return mine[:, None].expand(sequences.tokens.shape).masked_fill(~sequences.mask, 0.0)

    def _look(self) -> list[str]:
        """Nobody has to be warned of a control."""
        return []

    def _save_best(self) -> None:
        """The control's state is in every checkpoint of its phase, and in none of its own."""

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, the policy included."""
        return {**super().state_dict(), "generator": self.generator.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        super().load_state_dict(state)
        self.generator.load_state_dict(weights_for(self.generator, state["generator"]))
