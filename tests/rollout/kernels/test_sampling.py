"""The kernel that draws tokens from features, in Triton's interpreter or on a CUDA device."""

from __future__ import annotations

import builtins
import warnings

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.kernels import check, make_draws
from rollout import MixedPrecision, Sampler, generate
from rollout.kernels import draws_from, fused_sampling_works
from seqgan.models import head as head_module

from ...small import lstm

pytest.importorskip("triton", reason="triton is not installed")
from rollout.kernels import sampling  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer(rows: int, hidden: int, vocabulary: int, seed: int = 0, spread: float = 1.0):
    """Features, weights, bias with two forbidden tokens."""
    rng = seeded(seed)
    features, weight = (torch.randn(count, hidden, generator=rng) for count in (rows, vocabulary))
    bias = torch.randn(vocabulary, generator=rng)
    bias[[0, vocabulary // 2]] = -torch.inf
    return features * spread / hidden**0.5, weight, bias


def cdf(features: Tensor, weight: Tensor, bias: Tensor, temperature: float) -> Tensor:
    """Cumulative probabilities [R, V] in float64: the reference."""
    logits = features.double() @ weight.double().t() + bias.double()
    return (logits / temperature).softmax(-1).cumsum(-1)


def drawn(features, weight, bias, uniforms, temperature=1.0) -> Tensor:
    parts = (each.to(DEVICE) for each in (features, weight, bias, uniforms))
    return sampling.sample(*parts, temperature).cpu()


@pytest.mark.parametrize(
    ("rows", "hidden", "vocabulary", "temperature"),
    [(2, 32, 5, 1.0), (2, 20, 128, 3.0), (65, 48, 129, 1.0), (3, 100, 300, 0.4)],
)
def test_every_token_owns_its_interval(rows, hidden, vocabulary, temperature):
    """Numbers near both edges of a token's interval find it: in the interpreter a few per row."""
    features, weight, bias = layer(rows, hidden, vocabulary)
    until = cdf(features, weight, bias, temperature)
    before = torch.cat([torch.zeros(rows, 1, dtype=torch.float64), until[:, :-1]], 1)
    width = until - before
    draws = max(1, 12 // rows)
    # The likely ones: their edges are a thousand times wider than what float32 may move them.
    tokens = (width > 1e-4).float().multinomial(draws, True, generator=seeded(3))
    shares = torch.tensor([0.03, 0.97, 0.5]).repeat(rows * draws)[: rows * draws]
    uniforms = before.gather(1, tokens) + shares.view(rows, draws) * width.gather(1, tokens)
    assert torch.equal(drawn(features, weight, bias, uniforms, temperature), tokens)


def test_it_draws_what_the_plain_sampler_draws():
    features, weight, bias = layer(8, 32, 200, seed=1, spread=3.0)
    uniforms = torch.rand(8, 4, dtype=torch.float64, generator=seeded(2))
    logits = torch.nn.functional.linear(features, weight, bias)
    found = drawn(features, weight, bias, uniforms, 0.5)
    assert torch.equal(found, Sampler(0.5).sample(logits, uniforms))
    one = drawn(features, weight, bias, uniforms[:, 3], 0.5)
    assert torch.equal(one, found[:, 3])


def test_many_features():
    """As wide as models get: the products add up 64 blocks of features."""
    draws = make_draws(str(DEVICE), 3, 2_048, 300, 2, 0.7)
    assert check(draws, 1.0) == 1.0


def test_factors_of_16_bits():
    """Products of bfloat16 are exact in float32: the draws are those of float64."""
    draws = make_draws(str(DEVICE), 5, 48, 300, 3, 1.0)
    halves = draws._replace(features=draws.features.bfloat16(), weight=draws.weight.bfloat16())
    assert check(halves, 1.0) == 1.0


@pytest.mark.parametrize("place", [0, 500, 999])
def test_a_token_of_a_probability_of_2_to_the_minus_31_is_drawn(place):
    weight, bias = torch.zeros(1_000, 16), torch.full((1_000,), -torch.inf)
    bias[[300, 600]] = 0.0
    bias[place] = -30 * torch.log(torch.tensor(2.0))
    edge = {0: 0.0, 500: 0.5, 999: 1.0}[place]
    centre = edge * (1 - 2.0**-31) + 2.0**-32
    found = drawn(torch.zeros(1, 16), weight, bias, torch.tensor([centre], dtype=torch.float64))
    assert found.tolist() == [place]


def test_the_ends_of_the_unit_interval():
    features, weight, bias = layer(4, 16, 300)
    bias[-1] = -torch.inf
    ends = torch.tensor([2.0**-53, 1 - 2.0**-53], dtype=torch.float64).expand(4, 2)
    found = drawn(features, weight, bias, ends)
    assert (found[:, 0] == 1).all() and (found[:, 1] == 298).all()


def test_large_logits_and_numbers_that_are_none():
    weight, bias = torch.eye(200, 16) * 1e4, torch.zeros(200)
    features = torch.zeros(3, 16)
    features[0, 5], features[1] = 1e3, torch.nan
    found = drawn(features, weight, bias, torch.full((3,), 0.7, dtype=torch.float64))
    assert found[0] == 5 and 0 <= found[1] < 200 and found[2] == 140


def test_nothing_to_draw():
    features, weight, bias = layer(0, 16, 20)
    assert drawn(features, weight, bias, torch.rand(0, dtype=torch.float64)).shape == (0,)
    features, weight, bias = layer(2, 16, 20)
    assert drawn(features, weight, bias, torch.rand(2, 0, dtype=torch.float64)).shape == (2, 0)


def test_tf32_is_a_setting_of_torch(monkeypatch):
    asked = []

    class Noting:
        def __getitem__(self, grid):
            return lambda *_, **constants: asked.append(constants["PRECISION"])

    monkeypatch.setattr(sampling, "_tile_sums", Noting())
    monkeypatch.setattr(sampling, "_pick", {(2, 1): lambda *_, **__: None})
    for precision in ("highest", "high"):
        monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda word=precision: word)
        features, weight, bias = layer(2, 16, 20)
        sampling.sample(features, weight, bias, torch.rand(2, dtype=torch.float64))
    assert asked == ["ieee", "tf32"]


class TestWhereItIsUsed:
    def test_float32_without_filters_on_cuda(self, monkeypatch):
        monkeypatch.setattr("rollout.kernels.fused_sampling_works", lambda device: True)
        one, half, other = (
            torch.zeros(1, dtype=kind) for kind in (torch.float32, torch.bfloat16, torch.float16)
        )
        for sampler in (Sampler(), Sampler(0.3), Sampler(top_p=1.0)):
            assert draws_from(one, one, sampler) and draws_from(half, half, sampler)
        for sampler in (Sampler(top_k=3), Sampler(top_p=0.5), Sampler(min_p=0.1), Sampler(1e-30)):
            assert not draws_from(one, one, sampler)
        assert not draws_from(half, one, Sampler()) and not draws_from(other, other, Sampler())

    def test_not_on_a_cpu_nor_on_a_device_without_numbers(self):
        assert not fused_sampling_works(torch.device("cpu"))
        assert not fused_sampling_works(torch.device("meta"))

    def test_a_kernel_that_fails_is_said_once(self, monkeypatch):
        fused_sampling_works.cache_clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answers = [_works_on_a_broken_device(monkeypatch) for _ in range(2)]
        fused_sampling_works.cache_clear()
        assert answers == [False, False]
        assert [str(each.message) for each in caught] == [
            "Triton's kernels do not run here (no C compiler): sampling goes on without them"
        ]

    def test_a_generator_draws_with_it(self, monkeypatch):
        policy = lstm(150, 4, 1, 2, 0, 8, 16, forbidden=(0, 1), initial_scale=0.8).to(DEVICE)
        rng = [seeded(4) for _ in range(3)]
        monkeypatch.setattr(head_module, "draws_from", lambda *_: False)
        plain = generate(policy, 6, rng=rng[0], sampler=Sampler(0.7))
        asked: list[tuple[torch.dtype, torch.dtype]] = []
        monkeypatch.setattr(
            head_module, "draws_from", lambda one, two, _: not asked.append((one.dtype, two.dtype))
        )
        fused = generate(policy, 6, rng=rng[1], sampler=Sampler(0.7))
        assert torch.equal(plain.tokens, fused.tokens)
        half = generate(MixedPrecision(policy), 6, rng=seeded(4), sampler=Sampler(0.7))
        assert asked[-1] == (torch.bfloat16, torch.bfloat16)
        assert half.tokens[half.mask].min() > 1  # 0 and 1 are forbidden
        without = policy.withholding([5])
        assert not (generate(without, 6, rng=rng[2]).tokens == 5).any()

    def test_learned_rows_are_drawn_from(self, monkeypatch):
        head = head_module.TokenHead(16, 5).requires_grad_(False).to(DEVICE)
        head.learn([3])
        with torch.no_grad():
            head.learned.learned.fill_(10.0)  # so that the token is drawn whatever the others are
        features = torch.ones(4, 16, device=DEVICE)
        uniforms = torch.rand(4, generator=seeded(0), dtype=torch.float64).to(DEVICE)
        for kernel in (False, True):
            monkeypatch.setattr(head_module, "draws_from", lambda *_, answer=kernel: answer)
            drawn = head.sample_next(features, uniforms, Sampler())
            assert drawn.tolist() == [3] * 4


def _works_on_a_broken_device(monkeypatch) -> bool:
    def refuse(*_):
        raise RuntimeError("no C compiler\nand a long story")

    real = torch.zeros
    with monkeypatch.context() as patch:
        patch.setattr(torch, "zeros", lambda *size, device=None: real(*size))
        patch.setattr(torch, "full", lambda *size, **_: builtins.object())
        patch.setattr(sampling, "sample", refuse)
        return fused_sampling_works(torch.device("cuda"))
