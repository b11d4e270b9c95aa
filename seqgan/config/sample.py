"""Settings of ``seqgan sample``."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, require
from .decoding import Decoding
from .names import DEVICES, check_tokenizer

__all__ = ["SampleConfig"]


@dataclass
class SampleConfig(Decoding):
    """Samples from the generator of a run.

    Attributes:
        run: folder of the run, or of a model that seqgan push or pull wrote.
        source: file with one source text per line, of a model that was trained with them.
        model: finetuned (mle if there is none), mle, latest, members (the ensemble of a run of the
            ratio: the mean of its members' probabilities, or what else it was combined by).
        jsonl: one JSON object per line: the text, its log-probability in nats, its tokens, the
            discriminator's log-odds if the run has one, the rewards that judge a text by itself,
            and label and source if there are any.
        output: file to write to, one sequence per line; or, of pictures and music, the first
            samples as a .png or .mid file; none: the terminal.
        tokenizer: the one to join tokens with; none: the run's, where it is built in.
        base_model: place of the pretrained model that the generator goes on from, if it has moved.
        base_encoder: the same of the discriminator; none: sample without a discriminator.
        device: auto, cpu, cuda, mps.
    """

    run: str = field(kw_only=True)
    source: str | None = None
    model: str = "finetuned"
    jsonl: bool = False
    output: str | None = None
    tokenizer: str | None = None
    base_model: str | None = None
    base_encoder: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "model", ("finetuned", "mle", "latest", "members"))
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)
        choice(self, "device", DEVICES)
        require(self.output != "", "--output: an empty name; leave it out for the terminal")
