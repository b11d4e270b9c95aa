"""Settings of the smaller commands, which train nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .checks import require, seed
from .corpus import CorpusConfig
from .data import check_corpus, corpus_kind
from .methods import read_method
from .names import TABLES
from .settings import Settings, settings_from

__all__ = ["CompareConfig", "DataConfig", "MethodsConfig", "ReportConfig"]


@dataclass
class DataConfig(Settings):
    """Contents of a data source, as training would see them; nothing is trained.

    Attributes:
        source: a file (.txt, .jsonl, .csv, each also .gz), or grammar, oracle, wordnet,
            digits, styles, translation.
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
class MethodsConfig(Settings):
    """The methods of ``seqgan run --method``: paper, year, and the verdict of our benchmarks.

    Attributes:
        method: one of them, with its settings; none: all in short.
    """

    method: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method is not None:
            read_method(self.method)


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
