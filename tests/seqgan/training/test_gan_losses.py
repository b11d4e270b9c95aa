"""GAN losses: literal values, optima in closed form, and the gradient penalty."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from seqgan.config import DiscriminatorConfig, names
from seqgan.config.judge_checks import OF_PROBABILITIES
from seqgan.models import Discriminator
from seqgan.models.gan_losses import GAN_LOSSES, binary_cross_entropy, gradient_penalty

from ...recurrent_kernel import use_double
from ...small import bilstm, cnn, ids
from ...synchronisation import NoReading

# odds 3 and 1 / 4 of real sequences, 2 and 1 / 9 of generated ones: D = 3/4, 1/5 and 2/3, 1/10
REAL = torch.tensor([3.0, 0.25], dtype=torch.float64).log()
GENERATED = torch.tensor([2.0, 1 / 9], dtype=torch.float64).log()
# small logits for the losses without probabilities
A, B = torch.tensor([2.0, -0.5]).double(), torch.tensor([0.5, -3.0]).double()


OF_LOGITS = [name for name, row in GAN_LOSSES.items() if not row.features]
"""The rows but for those that read features, which have a test of their own."""


def log(*numbers):
    return sum(math.log(number) for number in numbers)


CROSS_ENTROPY = -(log(3 / 4, 1 / 5) / 2 + log(1 / 3, 9 / 10) / 2) / 2
# sigmoid of a difference of logits: a / (a + b) of the odds. Pairs 3 to 2 and 1/4 to 1/9.
PAIRS = log(3 / 5, 9 / 13) / 2
SWAPPED = log(2 / 5, 4 / 13) / 2
# mean logits: odds sqrt(3 / 4) of the real ones, sqrt(2 / 9) of the generated ones
MEAN_REAL, MEAN_GENERATED = math.sqrt(3 / 4), math.sqrt(2 / 9)


def above(odds, mean):
    return odds / (odds + mean)


@pytest.mark.parametrize("name, real, generated, expected", [
    ("minimax", REAL, GENERATED, CROSS_ENTROPY),
    ("non_saturating", REAL, GENERATED, CROSS_ENTROPY),
    ("log_odds", REAL, GENERATED, CROSS_ENTROPY),
    ("probability", REAL, GENERATED, CROSS_ENTROPY),
    # (2 - 1)^2, (-.5 - 1)^2; .5^2, 3^2
    ("least_squares", A, B, (1 + 2.25) / 4 + (0.25 + 9) / 4),
    # max(0, -1), 1.5; 1.5, max(0, -2)
    ("hinge", A, B, (0 + 1.5) / 2 + (1.5 + 0) / 2),
    ("wasserstein", A, B, -2.5 / 2 - 1.5 / 2),
    ("difference", A, B, -2.5 / 2 - 1.5 / 2),
    ("relativistic", REAL, GENERATED, -PAIRS),
    ("pairwise", REAL, GENERATED, -PAIRS),
    ("relativistic_average", REAL, GENERATED,
     -log(above(3, MEAN_GENERATED), above(1 / 4, MEAN_GENERATED)) / 2
     - log(1 - above(2, MEAN_REAL), 1 - above(1 / 9, MEAN_REAL)) / 2),
])  # fmt: skip
def test_discriminator_losses_by_hand(name, real, generated, expected):
    loss = GAN_LOSSES[name].discriminator(real, generated)
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("name, real, generated, expected", [
    ("minimax", REAL, GENERATED, log(1 / 3, 9 / 10) / 2),  # E log(1 - D)
    ("non_saturating", REAL, GENERATED, -log(2 / 3, 1 / 10) / 2),  # -E log D
    ("log_odds", REAL, GENERATED, -log(2, 1 / 9) / 2),
    ("probability", REAL, GENERATED, -(2 / 3 + 1 / 10) / 2),
    ("penalty", REAL, GENERATED, (1 / 3 + 9 / 10) / 2),
    ("centred", REAL, GENERATED, -(1 / 3 - 8 / 10) / 2),
    ("least_squares", A, B, (0.25 + 16) / 4),
    ("hinge", A, B, 2.5 / 2),
    ("wasserstein", A, B, 2.5 / 2),
    ("difference", A, B, 2.5 / 2),
    ("relativistic", REAL, GENERATED, -SWAPPED),
    ("pairwise", REAL, GENERATED, -(2 / 5 + 8 / 9 + 1 / 28 + 4 / 13) / 4),
    ("relativistic_average", REAL, GENERATED,
     -log(above(2, MEAN_REAL), above(1 / 9, MEAN_REAL)) / 2
     - log(1 - above(3, MEAN_GENERATED), 1 - above(1 / 4, MEAN_GENERATED)) / 2),
])  # fmt: skip
def test_generator_losses_by_hand(name, real, generated, expected):
    loss = GAN_LOSSES[name].generator(real, generated)
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("name, expected", [
    ("minimax", [-log(1 / 3), -log(9 / 10)]),  # -log(1 - D)
    ("non_saturating", [log(2 / 3), log(1 / 10)]),  # log D
    ("log_odds", [log(2), log(1 / 9)]),
    ("probability", [2 / 3, 1 / 10]),
    ("penalty", [-1 / 3, -9 / 10]),
    ("centred", [1 / 3, -8 / 10]),
    ("least_squares", [-((log(2) - 1) ** 2) / 2, -((log(1 / 9) - 1) ** 2) / 2]),
    ("hinge", [log(2), log(1 / 9)]),
    ("wasserstein", [log(2), log(1 / 9)]),
    ("difference", [log(2), log(1 / 9)]),
    # against odds 3 and 1/4 each: 2/5, 8/9 and 1/28, 4/13
    ("pairwise", [(2 / 5 + 8 / 9) / 2, (1 / 28 + 4 / 13) / 2]),
    ("relativistic", [log(2 / 5, 8 / 9) / 2, log(1 / 28, 4 / 13) / 2]),
    ("relativistic_average", [log(above(2, MEAN_REAL)), log(above(1 / 9, MEAN_REAL))]),
])  # fmt: skip
def test_rewards_by_hand(name, expected):
    assert GAN_LOSSES[name].reward(GENERATED, REAL).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", OF_LOGITS)
def test_the_reward_is_the_generators_objective(name):
    """The loss falls as fast as the mean reward rises, for any real sequences of one logit."""
    real, generated = torch.full((2,), 0.3).double(), GENERATED.clone().requires_grad_()
    row = GAN_LOSSES[name]
    (loss,) = torch.autograd.grad(row.generator(real, generated), generated)
    (reward,) = torch.autograd.grad(row.reward(generated, real).mean(), generated)
    if name == "relativistic_average":  # whose second half no reward can stand for
        loss = loss + torch.sigmoid(0.3 - generated.mean()).detach() / 2
    assert torch.allclose(loss, -reward)
    assert (reward >= 0).all() or name == "least_squares"


@pytest.mark.parametrize("name", OF_LOGITS)
def test_the_reward_of_a_sequence_depends_on_no_other(name):
    reward = GAN_LOSSES[name].reward
    assert torch.equal(reward(GENERATED, REAL)[1:], reward(GENERATED[1:], REAL))


@pytest.mark.parametrize("name", OF_LOGITS)
def test_losses_are_finite_far_out(name):
    far = torch.tensor([1e4, -1e4], requires_grad=True)
    row = GAN_LOSSES[name]
    for loss in (row.discriminator(far, far.flip(0)), row.generator(far, far.flip(0))):
        assert loss.isfinite() and torch.autograd.grad(loss, far)[0].isfinite().all()


# Of two kinds of sequences data has 3 : 1 and the policy 1 : 3.
DATA, POLICY = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 1, 1])


def slope_at(name, logits, **smoothing):
    """Gradient of the discriminator's loss over all pairs, by the logits of both kinds."""
    logits = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    real, generated = logits[DATA].repeat_interleave(4), logits[POLICY].repeat(4)
    loss = GAN_LOSSES[name].discriminator(real, generated, **smoothing)
    return torch.autograd.grad(loss, logits)[0].tolist()


@pytest.mark.parametrize("name", [name for name in OF_LOGITS if GAN_LOSSES[name].calibrated])
def test_calibrated_losses_are_least_at_the_log_odds(name):
    assert slope_at(name, [log(3), log(1 / 3)]) == pytest.approx([0, 0], abs=1e-12)


def test_forms_of_probabilities_are_for_the_loss_whose_logits_are_log_odds():
    # Ranking, whose probe is calibrated, has its own form alone.
    assert [x for x in names.GAN_LOSSES if GAN_LOSSES[x].calibrated] == ["minimax", "ranking"]
    assert all(GAN_LOSSES[form].calibrated for form in OF_PROBABILITIES)


def test_other_optima():
    assert slope_at("least_squares", [3 / 4, 1 / 4]) == pytest.approx([0, 0], abs=1e-12)
    for constant in (0.0, 5.0):
        at = [log(3) + constant, log(1 / 3) + constant]
        assert slope_at("relativistic", at) == pytest.approx([0, 0], abs=1e-12)
    # the hinge: any larger step costs more than it gains
    assert slope_at("hinge", [0.99, -0.99]) == pytest.approx([-0.5, 0.5])
    assert slope_at("hinge", [1.01, -1.01]) == pytest.approx([0.25, -0.25])


def test_label_smoothing_moves_the_optimum():
    # (1 - s) p_data / (p_policy + s p_data), s = 0.1: 0.9 * 3 / 1.3 and 0.9 / 3.1
    at = [log(2.7 / 1.3), log(0.9 / 3.1)]
    assert slope_at("minimax", at, smoothing=0.1) == pytest.approx([0, 0], abs=1e-12)
    loss = binary_cross_entropy(REAL, GENERATED, 0.1)
    real = 0.9 * log(3 / 4, 1 / 5) + 0.1 * log(1 / 4, 4 / 5)
    assert loss.item() == pytest.approx(-(real / 2 + log(1 / 3, 9 / 10) / 2) / 2)
    with pytest.raises(ValueError, match="smoothing must lie in"):
        binary_cross_entropy(REAL, GENERATED, 1.0)
    smoothed = [name for name, row in GAN_LOSSES.items() if row.smoothing]
    assert smoothed == [
        "minimax", "non_saturating", "log_odds", "probability", "penalty", "centred",
    ]  # fmt: skip


def test_cross_entropy_is_the_mean_over_a_batch_of_both_kinds():
    labels = torch.tensor([1.0, 1.0, 0.0, 0.0]).double()
    both = binary_cross_entropy_with_logits(torch.cat([REAL, GENERATED]), labels)
    assert binary_cross_entropy(REAL, GENERATED).item() == pytest.approx(both.item())


@pytest.mark.parametrize("name", OF_LOGITS)
def test_wrong_shapes_are_errors(name):
    row = GAN_LOSSES[name]
    for loss in (row.discriminator, row.generator):
        with pytest.raises(ValueError, match="must have 1 dimensions|must be"):
            loss(REAL[:, None], GENERATED)
    if name == "relativistic":
        with pytest.raises(ValueError, match=r"generated must be \[2\]"):
            row.discriminator(REAL, GENERATED[:1])


class Linear(Discriminator):
    """f(x) = sum over the tokens of weight . x, with a known slope everywhere."""

    def __init__(self, weight):
        super().__init__(DiscriminatorConfig(), ids(2))
        self.weight = nn.Parameter(torch.tensor(weight).double())
        self.seen = None

    def forward_embedded(self, embeddings, lengths, condition=None):
        self.seen = (embeddings.detach().clone(), lengths)
        inside = torch.arange(embeddings.shape[1])[None, :] < lengths[:, None]
        return ((embeddings @ self.weight) * inside).sum(1)


LENGTHS = torch.tensor([4, 1]), torch.tensor([4, 3])


def test_gradient_penalty_by_hand():
    judge = Linear([3.0, 4.0])  # norm 5 per token
    real, generated = torch.zeros(2, 5, 2).double(), torch.ones(2, 4, 2).double()
    u = torch.tensor([0.25, 0.5]).double()
    penalty = gradient_penalty(judge, real, LENGTHS[0], generated, LENGTHS[1], u)
    # 4 tokens and 1 in common: norms 5 sqrt(4) and 5
    assert penalty.item() == pytest.approx(((10 - 1) ** 2 + (5 - 1) ** 2) / 2)
    # the norm is |w| sqrt(L): slopes 2 * (10 - 1) * 2 w / |w| and 2 * (5 - 1) * w / |w|
    (slope,) = torch.autograd.grad(penalty, judge.weight)
    assert slope.tolist() == pytest.approx([(36 + 8) * 0.6 / 2, (36 + 8) * 0.8 / 2])
    between, lengths = judge.seen
    assert between.shape == (2, 4, 2) and lengths.tolist() == [4, 1]
    assert between[:, 0].tolist() == [[0.75, 0.75], [0.5, 0.5]]
    free = gradient_penalty(judge, real, LENGTHS[0], generated, LENGTHS[1], u, target=0.0)
    assert free.item() == pytest.approx((100 + 25) / 2)


def test_a_flat_discriminator_has_a_penalty_with_a_gradient():
    judge = Linear([0.0, 0.0])
    ones = torch.ones(2, 4, 2).double()
    penalty = gradient_penalty(judge, ones, LENGTHS[0], ones, LENGTHS[1], torch.ones(2))
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    assert torch.autograd.grad(penalty, judge.weight)[0].isfinite().all()


def discriminators():
    torch.manual_seed(0)
    return [
        bilstm(9, 4, 5, dropout=0.5).eval().double(),
        cnn(9, 4, (1, 2, 3), (4, 3, 5)).eval().double(),
    ]


def inputs():
    rng = torch.Generator().manual_seed(1)
    real, generated = (torch.randn(2, n, 4, generator=rng).double() for n in (4, 5))
    return real, LENGTHS[0], generated, LENGTHS[1], torch.rand(2, generator=rng).double()


@pytest.mark.parametrize("judge", discriminators(), ids=lambda judge: type(judge).__name__)
def test_the_penalty_trains_every_discriminator(judge, monkeypatch):
    use_double(monkeypatch)  # refuses second derivatives as cuDNN does
    penalty = gradient_penalty(judge, *inputs())
    names = [name for name, _ in judge.named_parameters() if name != "embedding.weight"]
    weights = [dict(judge.named_parameters())[name] for name in names]
    found = torch.autograd.grad(penalty, weights, allow_unused=True, materialize_grads=True)
    assert sum(bool(gradient.abs().max() > 1e-8) for gradient in found) >= len(names) / 2
    step = 1e-6
    for weight, gradient in zip(weights, found, strict=True):
        place = gradient.flatten().abs().argmax()
        with torch.no_grad():
            values = []
            for change in (step, -2 * step):
                weight.view(-1)[place] += change
                values.append(gradient_penalty(judge, *inputs()).item())
            weight.view(-1)[place] += step
        numeric = (values[0] - values[1]) / (2 * step)
        assert gradient.flatten()[place].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("judge", discriminators(), ids=lambda judge: type(judge).__name__)
def test_padding_never_changes_the_penalty(judge):
    real, real_lengths, generated, generated_lengths, u = inputs()
    whole = gradient_penalty(judge, real, real_lengths, generated, generated_lengths, u)
    real[1, 1:], generated[1, 3:] = 1e6, -1e6
    again = gradient_penalty(judge, real, real_lengths, generated, generated_lengths, u)
    assert again.item() == pytest.approx(whole.item(), rel=1e-12)
    # what follows after the shorter of both is cut away
    generated[1, 1:] = torch.nan
    again = gradient_penalty(judge, real, real_lengths, generated, generated_lengths, u)
    assert again.item() == pytest.approx(whole.item(), rel=1e-12)


@pytest.mark.parametrize("judge", discriminators(), ids=lambda judge: type(judge).__name__)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_step_of_the_discriminator_waits_for_nothing(judge, device, monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    judge = copy.deepcopy(judge).to(device)
    given = [tensor.to(device) for tensor in inputs()]
    with NoReading():
        penalty = gradient_penalty(judge, *given)
        real, generated = (judge.forward_embedded(*given[i : i + 2]) for i in (0, 2))
        for row in map(GAN_LOSSES.get, OF_LOGITS):
            penalty = penalty + row.discriminator(real, generated) + row.generator(real, generated)
            assert row.reward(generated, real).shape == (2,)
        penalty.backward()
    assert judge.output.weight.grad is not None


def test_a_penalty_of_the_wrong_shape_is_an_error():
    judge = Linear([3.0, 4.0])
    x, n, u = torch.zeros(2, 4, 2).double(), torch.tensor([4, 1]), torch.zeros(2)
    with pytest.raises(ValueError, match="embeddings of the same size"):
        gradient_penalty(judge, x, n, x[..., :1], n, u)
    with pytest.raises(ValueError, match=r"uniforms must be \[2\]"):
        gradient_penalty(judge, x, n, x, n, u[:1])
    judge.per_token = True
    with pytest.raises(ValueError, match="one logit per sequence"):
        gradient_penalty(judge, x, n, x, n, u)
