"""Settings of ``seqgan explain``."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, require, seed, sizes
from .names import DEVICES, check_tokenizer
from .settings import Settings

__all__ = ["ExplainConfig"]


@dataclass
class ExplainConfig(Settings):
    """Explanations of sequences, token by token, by the models of a run.

    Attributes:
        run: folder of the run.
        text: the sequence to explain; none: samples of the model.
        file: file of sequences to explain, one per line.
        source: the text that they answer, of a model that was trained with sources; none: samples
            answer test sequences.
        condition: the label that sequences are asked for, of a model that was trained with labels;
            none: samples have the labels of test sequences.
        number: samples that are explained, or lines of the file at most.
        model: finetuned (mle if there is none), mle, latest.
        against: model that the likelihood of each token is compared with: mle, finetuned, the
            folder of another run, or none.
        rollouts: completions behind each action value; 0: there are none.
        nearest: training sequences shown that are nearest to each; 0: none.
        units: hidden units shown that each sequence excites most; 0: none.
        output: folder to write to; none: explain/ in the run's folder.
        data: the run's data file, if it is no longer where the run's settings say.
        rewards: the run's own reward functions, MODULE:FUNCTION, which must be named here to be
            imported; without them nothing is said of that reward.
        seed: of samples and rollouts.
        tokenizer: the run's, which must be named here where it is not built in.
        device: auto, cpu, cuda, mps.
    """

    run: str = field(kw_only=True)
    text: str | None = None
    file: str | None = None
    source: str | None = None
    condition: str | None = None
    number: int = 6
    model: str = "finetuned"
    against: str = "mle"
    rollouts: int = 16
    nearest: int = 3
    units: int = 4
    output: str | None = None
    data: str | None = None
    rewards: list[str] = field(default_factory=list)
    seed: int = 0
    tokenizer: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "model", ("finetuned", "mle", "latest"))
        choice(self, "device", DEVICES)
        sizes(self, "number")
        sizes(self, "rollouts", "nearest", "units", least=0)
        require(self.number <= 1_000, f"--number: {self.number:,} is above 1,000")
        require(self.text is None or self.file is None, "--text and --file: give one of them")
        require(self.output != "", "--output: an empty name; leave it out for the run's folder")
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)
        seed(self.seed)
