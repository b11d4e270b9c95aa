"""Settings of ``seqgan sample``."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import choice, require, seed
from .names import DEVICES, check_tokenizer
from .settings import Settings

__all__ = ["SampleConfig"]


@dataclass
class SampleConfig(Settings):
    """Samples from the generator of a run.

    Attributes:
        run: folder of the run.
        model: finetuned (mle if there is none), mle, latest.
        number: how many sequences.
        prefix: text that every sequence begins with, in words of the run's vocabulary.
        temperature: softmax temperature, above 0; below 1 is more careful.
        top_k: keep only the k most likely tokens at each step; none: all.
        top_p: keep only the most likely tokens that together reach this probability; none: all.
        allow_unk: samples may hold <unk>, where the training sequences do.
        output: file to write to, one sequence per line; none: the terminal.
        tokenizer: the one to join tokens with; none: the run's, where it is built in.
        seed: of the samples.
        device: auto, cpu, cuda, mps.
    """

    run: str
    model: str = "finetuned"
    number: int = 10
    prefix: str = ""
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    allow_unk: bool = True
    output: str | None = None
    tokenizer: str | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "model", ("finetuned", "mle", "latest"))
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)
        choice(self, "device", DEVICES)
        require(self.output != "", "--output: an empty name; leave it out for the terminal")
        require(
            1 <= self.number <= 10_000_000, f"--number: {self.number:,} is not in 1 .. 10,000,000"
        )
        require(
            0 < self.temperature < float("inf"), f"--temperature: {self.temperature} is not above 0"
        )
        require(self.top_k is None or self.top_k >= 1, f"--top_k: {self.top_k} is below 1")
        require(
            self.top_p is None or 0 < self.top_p <= 1, f"--top_p: {self.top_p} is not in (0, 1]"
        )
        seed(self.seed)
