"""The commands of ``seqgan-bench``, after their settings are read."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from rich.console import Console

from seqgan.config.dotted import import_dotted
from seqgan.data.wordnet import wordnet_glosses
from seqgan.errors import ConfigError
from seqgan.terminal import say

from .arm_names import arms_of, named_arms
from .cell import CellJob
from .comparing import controls_table, folders_table
from .estimate import estimate
from .files import data_folder, find_files
from .pages import fill_file
from .plots import make_plots, write_plots
from .results import CellPlace, read_results
from .running import cores, run_jobs
from .settings import CompareSettings, ListSettings, PlotSettings, RunSettings, TableSettings
from .suite import Suite
from .suite_files import load_methods, load_suite, suite_names
from .table import Table
from .tables import make_tables, write_tables

__all__ = ["compare", "list_suites", "plot", "run", "table"]


def list_suites(settings: ListSettings, console: Console) -> int:
    """``seqgan-bench list``."""
    folder = data_folder(settings.data_dir)
    for name in suite_names():
        suite = load_suite(name)
        say(console, f"{name}: {suite.title}")
        say(console, f"  {' '.join(suite.about.split())}")
        for file in suite.files.values():
            there = folder is not None and (folder / file.name).is_file()
            state = "found" if there else file.absent or "not found: see --data_dir"
            say(console, f"  file {file.name} ({file.source}; {file.licence}): {state}")
        say(console, f"  arms: {', '.join(arm.name for arm in suite.arms('standard', 0))}")
    return 0


def run(settings: RunSettings, console: Console) -> int:
    """``seqgan-bench run``."""
    more = load_methods(settings.methods) if settings.methods else {}
    names = suite_names() if settings.suites == ["all"] else settings.suites
    suites = [load_suite(name, more) for name in dict.fromkeys(names)]
    folder = data_folder(settings.data_dir)
    for suite in suites:
        _check(suite, folder)
    arms = None if settings.arms is None else named_arms(settings.arms, suites)
    threads = max(1, min(cores() // settings.jobs, torch.get_num_threads()))
    root = Path(settings.output_dir)
    jobs = [
        CellJob(
            suite, CellPlace(root, suite.name, settings.size, seed), folder, threads, sys.argv, arms
        )
        for suite in suites
        for seed in settings.seed_list()
    ]
    for line in estimate(jobs, settings.jobs):
        say(console, line)
    run_jobs(jobs, settings.jobs)
    say(console, f"Results: {root}; tables: seqgan-bench table {root}")
    return 0


def _check(suite: Suite, folder: Path | None) -> None:
    """Refuses a suite whose files or functions are not there, before anything is run."""
    find_files(suite, folder)
    for method in suite.methods.values():
        for path in (method.call, method.measure):
            if path is not None:
                import_dotted(path, f"method {method.name}: call")
    own = [name for name in (suite.source, suite.prepare) if name is not None]
    for name in (*suite.metrics, *own):
        import_dotted(name, f"suite {suite.name}")
    if suite.source is None and suite.config.get("data") == "wordnet":
        next(wordnet_glosses(), None)  # says where WordNet can be had, if it is not there


def table(settings: TableSettings, console: Console) -> int:
    """``seqgan-bench table``."""
    root = Path(settings.results)
    results = read_results(root)
    tables = make_tables(results)
    if settings.pages is not None:
        for page in settings.pages:
            changed = fill_file(Path(page), root.resolve().name, tables)
            say(console, f"{page}: {'written' if changed else 'unchanged'}")
        return 0
    for each in tables:
        _print(console, each)
    output = Path(settings.output) if settings.output else root / "tables"
    write_tables(tables, results, output)
    say(console, f"Files: {output}")
    return 0


def plot(settings: PlotSettings, console: Console) -> int:
    """``seqgan-bench plot``."""
    root = Path(settings.results)
    results = read_results(root)
    if settings.arms is not None:
        wanted = arms_of(settings.arms, {result["arm"] for result in results})
        results = [result for result in results if result["arm"] in wanted]
        if not results:
            raise ConfigError(f"--arms: {root} has none of {settings.arms}")
    plots = make_plots(results)
    output = Path(settings.output) if settings.output else root / "plots"
    for path in write_plots(plots, output):
        say(console, str(path))
    return 0


def compare(settings: CompareSettings, console: Console) -> int:
    """``seqgan-bench compare``."""
    roots = [Path(name) for name in settings.results]
    results = [read_results(root) for root in roots]
    if len(roots) == 1:
        _print(console, controls_table(results[0]))
        return 0
    if roots[0].resolve() == roots[1].resolve():
        raise ConfigError(f"{roots[0]} is given twice")
    _print(console, folders_table(results[0], results[1], (str(roots[0]), str(roots[1]))))
    return 0


def _print(console: Console, each: Table) -> None:
    """A table as the Markdown that its file holds."""
    console.print(f"\n{each.title}\n", style="bold", markup=False, highlight=False)
    say(console, each.markdown())
