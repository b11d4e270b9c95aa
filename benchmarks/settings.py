"""The settings of ``seqgan-bench``'s commands. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from seqgan.config.settings import Settings
from seqgan.errors import ConfigError, did_you_mean

__all__ = [
    "SIZES", "CompareSettings", "ListSettings", "PlotSettings", "RunSettings", "TableSettings",
]  # fmt: skip

SIZES = ("smoke", "standard", "full")
"""Of suites."""


@dataclass
class ListSettings(Settings):
    """The suites, what files they need, and whether these are there.

    Attributes:
        data_dir: folder with the public files; none: the environment's SEQGAN_DATA_DIR.
    """

    data_dir: str | None = None


@dataclass
class RunSettings(Settings):
    """Runs suites, each with every seed. What was finished before is not done again.

    Attributes:
        suites: names of suites, .yaml files of your own, or all.
        size: smoke (a minute per suite), standard, full (the scale of the papers).
        seeds: seeds between commas; each is a cell of its own.
        jobs: cells that run at a time; they share the processor's cores.
        output_dir: folder of the results: DIR/SUITE/SIZE/seed-N/ARM.json.
        data_dir: folder with the public files; none: the environment's SEQGAN_DATA_DIR.
        methods: .yaml file with methods of your own, run besides the others.
        arms: names of the arms to run, or of sets of arms, between commas; none: all but those that
            are run only if they are named. Arms that a suite has not are left out there.
    """

    suites: list[str]
    size: str = "standard"
    seeds: str = "0"
    jobs: int = 1
    output_dir: str = "runs/benchmarks"
    data_dir: str | None = None
    methods: str | None = None
    arms: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in SIZES:
            near = did_you_mean(self.size, SIZES)
            raise ConfigError(f"--size: {self.size!r} is none of {', '.join(SIZES)}{near}")
        if not 1 <= self.jobs <= 1_000:
            raise ConfigError(f"--jobs: {self.jobs} is not in 1 .. 1,000")
        if not self.output_dir:
            raise ConfigError("--output_dir: an empty name")
        self.seed_list()

    def seed_list(self) -> list[int]:
        """The seeds as numbers, each once."""
        words = [word.strip() for word in self.seeds.split(",")]
        if not all(word.isdecimal() and int(word) < 1 << 63 for word in words):
            raise ConfigError(f"--seeds: {self.seeds!r}: whole numbers between commas, such as 0,1")
        return list(dict.fromkeys(int(word) for word in words))


@dataclass
class TableSettings(Settings):
    """Makes the tables of results: verdicts, scores, published figures beside ours.

    Attributes:
        results: folder of results.
        output: folder for the .md and .csv files; none: RESULTS/tables.
        pages: Markdown files whose marked tables are made again, instead of writing files.
    """

    results: str
    output: str | None = None
    pages: list[str] | None = None


@dataclass
class PlotSettings(Settings):
    """Draws results: quality against diversity, and learning curves.

    Attributes:
        results: folder of results.
        output: folder for the .png files; none: RESULTS/plots.
        arms: names of the arms to draw, or of sets of arms, between commas; none: all.
    """

    results: str
    output: str | None = None
    arms: str | None = None


@dataclass
class CompareSettings(Settings):
    """Of one folder: every method against its controls. Of two: the same arms side by side.

    Attributes:
        results: one folder of results, or two.
    """

    results: list[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.results) <= 2:
            raise ConfigError(f"expected one or two folders of results, not {len(self.results)}")
