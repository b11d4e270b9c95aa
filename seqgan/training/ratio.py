"""Updates towards an ensemble: the player whose reward is the density ratio.

With p the ensemble's density and q the policy's, the reward of a token is log p - log q, the
optimal discriminator between the two, known without training one. The policy descends KL(q, p), the
Jensen-Shannon divergence, or KL(p, q). Relatives: on-policy distillation (Agarwal et al. 2024),
CoT's mediator (Lu et al. 2019). What differs: p is made of models of the policy's own size and
data, with other seeds.

Estimators of the gradient, from sequences y of q. J_t is the divergence of the next token's
distributions at the prefix y_<t, g_t the score of the token that was drawn (`rollout.divergences`):

* exact: ``sum_t grad J_t``, the prefixes held fixed.
* exact_to_go: ``sum_t [grad J_t + grad log q(y_t) sum_{s>t} J_s]``, the gradient of the divergence
  of whole sequences; for forward_kl ``sum_t p(y_<t) / q(y_<t) grad J_t``.
* reinforce: ``sum_t grad log q(y_t) sum_{s>=t} g_s``; for forward_kl with ``-p(y) / q(y)`` in the
  place of the sum.

Sums over later tokens have a leave-one-out baseline.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import (
    advantages,
    discounted_returns,
    kl_to_reference,
    make_baseline,
    reinforce_loss,
    without_dropout,
)
from rollout.divergences import token_scores_of

from ..config import Ratio as Settings
from ..models import Ensemble
from ..models.token_divergence import Target, TokenFigures, rows_of, token_divergence
from ..rewards.ratio import RatioReward
from ..rewards.terms import at_the_end
from .mle_loss import RealBatch, mle_term
from .players import Materials
from .ratio_batch import RatioBatch
from .sampling import Judge, Judged, draw, spread_over
from .updates import Updates

__all__ = ["RatioUpdates"]


class RatioUpdates(Updates):
    """The generator's player.

    Args:
        settings: objective, estimator, batch, optimizer.
        materials: generator, ensemble, reward, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        self.judge = Judge(materials)
        super().__init__(settings.optimizer, materials, judge=self.judge)
        self.settings, self.reference = settings, materials.reference
        self.ensemble: Ensemble | None = None
        self.estimator, self.baseline = "reinforce", make_baseline("leave_one_out")
        if isinstance(materials.reward, RatioReward):
            self.ensemble, self.estimator = materials.reward.ensemble, settings.estimator

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime, lambda: self.done)

    def step(self) -> None:
        """One batch of samples and one update."""
        self.policy.eval()
        batch, given = self._drawn(), None
        self.runtime.count(batch.chosen, self.learner.model)
        if self.ensemble is None:  # a reward of the user's runs on the host
            given = self.judge(batch.whole, batch.part, batch.mine)
        settings, number = self.settings, self.progress.number
        real = self.mixed(settings.mle_weight, settings.batch_size, number)
        figures, judged = self.learner.update(self._whole_loss, batch, given, real)
        self.progress.number += 1
        shown = self.read(figures)
        self.progress.spread_sum += shown.pop("spread")
        self.judge.end_step(self.progress.number, batch.whole, judged)
        self.runtime.log_step(self.stage, self.progress.number, shown)

    def loss(
        self, batch: RatioBatch, given: Judged | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Judged]:
        """The share of this process in the loss of a batch; figures and rewards of all of it.

        Args:
            batch: the samples.
            given: their rewards; None: the ratio is their reward.
        """
        if self.estimator == "reinforce":
            return self._reinforce(batch, given)
        return self._exact(batch)

    def _whole_loss(
        self, batch: RatioBatch, given: Judged | None, real: RealBatch | None
    ) -> tuple[Tensor, tuple[dict[str, Tensor], Judged]]:
        """`loss` with the likelihood of real sequences, if there are any, for `Learner.update`."""
        loss, figures, judged = self.loss(batch, given)
        if real is not None:
            with without_dropout(self.policy), self.runtime.autocast():
                loss = loss + self.settings.mle_weight * mle_term(self.policy, real)
        return loss, (figures, judged)

    def _drawn(self) -> RatioBatch:
        """The samples of the step."""
        source, processes = self.policy, self.runtime.processes
        if self.ensemble is not None and self.settings.samples == "members":
            members: Any = self.ensemble.members
            source = members[self.progress.number % len(members)]
        rng = self.runtime.rng(self.stage, self.progress.number)
        drawn = draw(
            self.runtime.drawing(source), self.settings.batch_size, rng, self.prompts,
            processes=processes, graphs=self.recordings,
        )  # fmt: skip
        whole = drawn.sequences.trim(wait=False)
        chosen = drawn.chosen[:, : whole.tokens.shape[1]]
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        return RatioBatch(whole, chosen, part, mine, rows_of(chosen[part.rows]))

    def _exact(self, batch: RatioBatch) -> tuple[Tensor, dict[str, Tensor], Judged]:
        """The share of this process in the loss, by expectations over the vocabulary."""
        assert self.ensemble is not None
        objective, to_go = self.settings.objective, self.estimator == "exact_to_go"
        advantage = ratio = weights = None
        with torch.no_grad(), self.runtime.autocast():
            features = [batch.flat(each) for each in self.ensemble.features(batch.mine)]
        with without_dropout(self.policy), self.runtime.autocast():
            hidden = batch.flat(self.policy.features(batch.mine))
        if objective == "jensen_shannon" or (to_go and objective == "forward_kl"):
            plain = Target(features, self.ensemble.log_probs)
            figures = self._measured(batch, hidden.detach(), plain)
            ratio = self._before(batch, figures)
        if to_go and objective == "forward_kl":
            assert ratio is not None
            weights, ratio = ratio.exp(), None
        target = Target(
            features, self.ensemble.log_probs, objective, 1.0, ratio, token_weights=weights
        )
        if to_go and objective != "forward_kl":
            advantage = self._ahead(batch, self._measured(batch, hidden.detach(), target))
        targets = [target]
        if self.settings.kl_weight:
            targets.append(self._anchor(batch))
        with without_dropout(self.policy), self.runtime.autocast():
            total, figures = token_divergence(
                hidden, self.policy.head, batch.flat(batch.mine.tokens), targets,
                batch.flat(batch.mask).to(torch.float32), advantage,
            )  # fmt: skip
        loss = batch.part.of_sequences(total / len(batch.mine))
        own = self._own(figures, target)
        own = own if advantage is None else own + advantage
        judged = self._judged(batch, figures)
        return loss, self._figures(batch, figures, batch.shaped(own), judged), judged

    def _own(self, figures: TokenFigures, target: Target) -> Tensor:
        """Advantage of each token that was drawn [M], over the others at its place."""
        if target.objective == "forward_kl":
            own = (figures.log_p - figures.log_q).exp() - 1
            return own if target.token_weights is None else own * target.token_weights
        scores = token_scores_of(
            figures.log_q, figures.log_p, target.objective, target.log_ratio
        )  # fmt: skip
        return figures.value - scores

    def _anchor(self, batch: RatioBatch) -> Target:
        """The pretrained policy as a second target."""
        with torch.no_grad(), self.runtime.autocast():
            features = [batch.flat(self.reference.features(batch.mine))]
        head = self.reference.head

        @torch.no_grad()
        def log_probs(rows: Any) -> Tensor:
            logits: Tensor = head(rows[0])
            return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)

        return Target(features, log_probs, "reverse_kl", self.settings.kl_weight)

    @torch.no_grad()
    def _measured(self, batch: RatioBatch, hidden: Tensor, target: Target) -> TokenFigures:
        """Figures of the samples under the policy as it is, of its features [M, H]."""
        with self.runtime.autocast():
            _, figures = token_divergence(
                hidden, self.policy.head, batch.flat(batch.mine.tokens), [target],
                batch.flat(batch.mask).float(),
            )  # fmt: skip
        return figures

    def _before(self, batch: RatioBatch, figures: TokenFigures) -> Tensor:
        """``log p - log q`` of the tokens before each token [M]."""
        each = batch.shaped(figures.log_p - figures.log_q)
        return batch.flat(each.cumsum(1) - each)

    def _ahead(self, batch: RatioBatch, figures: TokenFigures) -> Tensor:
        """Advantage of each token [M] from the divergences after it."""
        value = batch.shaped(figures.value)
        later = discounted_returns(value, batch.mask) - value
        return batch.flat(self._advantage(batch, -later))

    def _advantage(self, batch: RatioBatch, values: Tensor) -> Tensor:
        """Values [rows, T] of this process's part, less the baseline over the whole batch."""
        whole = self.runtime.processes.gather(values, batch.part)
        return advantages(whole, batch.chosen, self.baseline)[batch.part.rows]

    def _reinforce(
        self, batch: RatioBatch, given: Judged | None
    ) -> tuple[Tensor, dict[str, Tensor], Judged]:
        """The share of this process in the loss, by the tokens that were drawn."""
        with without_dropout(self.policy), self.runtime.autocast():
            scores = self.policy(batch.mine)
        log_q, mask = scores.log_prob.detach(), batch.mask
        if given is not None:
            rewards = at_the_end(given.mine, batch.mine)
            log_p = log_q + rewards
        else:
            assert self.ensemble is not None
            with self.runtime.autocast():
                log_p = self.ensemble(batch.mine).log_prob
            rewards = self._rewards(batch, log_p, log_q)
        values = rewards
        if given is not None or self.settings.objective != "forward_kl":
            values = discounted_returns(rewards, batch.mine.mask)
        advantage = self._advantage(batch, values)
        loss = reinforce_loss(scores.log_prob, advantage, mask)
        if self.settings.kl_weight:
            with torch.no_grad(), self.runtime.autocast():
                reference = self.reference(batch.mine).log_prob
            loss = loss + self.settings.kl_weight * kl_to_reference(
                scores.log_prob, reference, mask
            )
        flat = [batch.flat(each) for each in (advantage, log_q, log_p, scores.entropy.detach())]
        found = TokenFigures(*flat)
        judged = self._judged(batch, found) if given is None else given
        figures = self._figures(batch, found, advantage, judged)
        return batch.part.of_sequences(loss), figures, judged

    def _rewards(self, batch: RatioBatch, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Rewards per token [rows, T]; for forward_kl the weight p / q of the whole sequence."""
        each = torch.where(batch.mask, log_p - log_q, 0.0)
        if self.settings.objective == "forward_kl":
            return each.sum(1, keepdim=True).exp().expand_as(each)
        before = (each.cumsum(1) - each).flatten()
        scores = token_scores_of(
            log_q.flatten(), log_p.flatten(), self.settings.objective, before
        )  # fmt: skip
        return torch.where(batch.mask, -scores.view(each.shape), 0.0)

    @torch.no_grad()
    def _judged(self, batch: RatioBatch, figures: TokenFigures) -> Judged:
        """The ratio of each sequence as its reward."""
        mine = batch.shaped(figures.log_p - figures.log_q)
        return Judged(mine, self.runtime.processes.gather(mine.sum(1), batch.part), {})

    @torch.no_grad()
    def _figures(
        self, batch: RatioBatch, figures: TokenFigures, advantage: Tensor, judged: Judged
    ) -> dict[str, Tensor]:
        """Figures of the step for the log, of the whole batch."""
        gather, part = self.runtime.processes.gather, batch.part
        weights = batch.chosen.to(torch.float32)
        count = weights.sum().clamp(min=1)
        entropy = (gather(batch.shaped(figures.entropy), part) * weights).sum() / count
        own = gather(torch.where(batch.mask, advantage, 0.0), part)
        spread = spread_over(own, batch.chosen)
        return {**judged.figures(), "entropy": entropy, "spread": spread}
