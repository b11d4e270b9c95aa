"""Settings of the smaller commands, which train nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .checks import choice, require, seed
from .data import CorpusConfig, check_corpus, corpus_kind
from .names import DEVICES, TABLES, check_tokenizer
from .settings import Settings, settings_from

__all__ = ["CompareConfig", "DataConfig", "ReportConfig", "SampleConfig"]


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


@dataclass
class DataConfig(Settings):
    """Contents of a data source, as training would see them; nothing is trained.

    Attributes:
        source: a file (.txt, .jsonl, .csv, each also .gz), or grammar, oracle, wordnet.
        test_data: a file with the test sequences; none: a share of the source.
        validation_data: a file with the validation sequences; none: a share of the source.
        corpus: how the source becomes token ids.
        examples: sequences shown of each split.
        output: text file to write the training split to, one sequence per line; none: not written.
        seed: of the splits.
    """

    source: str
    test_data: str | None = None
    validation_data: str | None = None
    corpus: CorpusConfig = field(default_factory=dict)  # type: ignore[assignment]
    examples: int = 3
    output: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.corpus, Mapping):
            self.corpus = settings_from(corpus_kind(self.source), self.corpus)
        super().__post_init__()
        check_corpus(self.source, self.corpus)
        require(self.examples >= 0, f"--examples: {self.examples} is below 0")
        require(self.output != "", "--output: an empty name; leave it out to write nothing")
        seed(self.seed)


@dataclass
class ReportConfig(Settings):
    """The report of a run, written again from the run's folder.

    Attributes:
        run: folder of the run.
    """

    run: str


@dataclass
class CompareConfig(Settings):
    """Several finished runs side by side.

    Attributes:
        runs: folders of the runs, two or more.
        output: file to write the table to, .md, .csv or .json; none: the terminal only.
    """

    runs: list[str]
    output: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.runs) >= 2, "expected the folders of two runs or more")
        require(
            self.output is None or self.output.lower().endswith(TABLES),
            f"--output: {self.output} ends in none of {', '.join(TABLES)}",
        )
