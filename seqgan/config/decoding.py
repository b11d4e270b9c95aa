"""Settings of sampling for people: how a trained model writes its sequences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .checks import choice, not_negative, positive, require, seed, sizes
from .decoding_checks import check_search
from .rewards import RewardTerm, reward_terms
from .settings import Settings

__all__ = ["BEST_BY", "Decoding"]

BEST_BY = ("likelihood", "discriminator", "reward")


@dataclass
class Decoding(Settings):
    """The way from a model to sequences: drawn, greedy, or by beam search.

    Attributes:
        number: how many sequences, with source texts for each of them; none: 10, or 1 for each.
        condition: the label that is asked for, of a model that was trained with labels.
        prefix: text that every sequence begins with, in words of the run's vocabulary.
        temperature: softmax temperature, above 0; below 1 is more careful.
        top_k: keep only the k most likely tokens at each step; none: all.
        top_p: keep only the most likely tokens that together reach this probability; none: all.
        min_p: keep only tokens with this share of the most likely one's probability; none: all.
        greedy: take the most likely token at each step; nothing is drawn.
        beams: candidates of a beam search for the most probable sequences; 0: no search.
        length_penalty: beam search orders sequences by log-probability / length^this.
        repetition_penalty: logits of tokens that the sequence holds already are divided by it if
            positive, else multiplied; 1: no penalty.
        forbid: words that are never emitted, each of them one token, alone or after a blank.
        constraint: none, smiles, grammar, package.module:function; left out: that of the training.
        allow_unk: samples may hold <unk>, where the training sequences do.
        min_length: tokens of a sequence at least, EOS not counted.
        max_length: tokens of a sequence at most, EOS counted; none: as in training.
        unique: no sequence twice.
        best_of: sequences drawn for each one that is returned, the best of them.
        best_by: judge of the best: likelihood (log-probability per token), discriminator, reward.
        rewards: terms as of a run, for figures and for the best; left out: those of the run that
            judge a sequence by itself, without functions of a user's.
        rescore: sequences drawn for each one that is returned, which is drawn from them with
            weights exp(rescore_beta f), f the log-odds of the run's discriminator, or the log
            ratio of its members to the model.
        rescore_beta: factor of the log-odds; below 1 trusts them less.
        seed: of the samples.
    """

    rare = ("length_penalty", "min_p", "best_by", "rescore_beta")

    number: int | None = None
    condition: str | None = None
    prefix: str = ""
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    greedy: bool = False
    beams: int = 0
    length_penalty: float = 0.0
    repetition_penalty: float = 1.0
    forbid: list[str] = field(default_factory=list)
    constraint: str | None = None
    allow_unk: bool = True
    min_length: int = 0
    max_length: int | None = None
    unique: bool = False
    best_of: int = 1
    best_by: str = "likelihood"
    rewards: list[RewardTerm] = field(default_factory=list)
    rescore: int = 1
    rescore_beta: float = 1.0
    seed: int = 0

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The judges of the best."""
        return BEST_BY if name == "best_by" else ()

    def __post_init__(self) -> None:
        if self.rewards:
            self.rewards = reward_terms(self.rewards)
        super().__post_init__()
        number = 1 if self.number is None else self.number
        require(1 <= number <= 10_000_000, f"--number: {number:,} is not in 1 .. 10,000,000")
        positive(self, "temperature", "repetition_penalty", below=float("inf"))
        require(self.top_k is None or self.top_k >= 1, f"--top_k: {self.top_k} is below 1")
        for name in ("top_p", "min_p"):
            value = getattr(self, name)
            require(value is None or 0 < value <= 1, f"--{name}: {value} is not in (0, 1]")
        sizes(self, "min_length", "beams", least=0)
        sizes(self, "best_of", "rescore")
        not_negative(self, "rescore_beta")
        require(
            self.best_of == 1 or self.rescore == 1,
            "--best_of and --rescore are two ways to choose among samples: leave one out",
        )
        not_negative(self, "length_penalty")
        if self.max_length is not None:
            sizes(self, "max_length")
            require(
                self.min_length <= self.max_length,
                f"--min_length: {self.min_length} is above --max_length {self.max_length}",
            )
        choice(self, "best_by", BEST_BY)
        seed(self.seed)
        check_search(self)

    def chooses_by(self, judge: str) -> bool:
        """Tells if the best of several samples are taken, and this is what judges them."""
        return self.best_of > 1 and self.best_by == judge
