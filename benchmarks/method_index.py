"""The index of the methods in docs/methods.md: how a row is made, what each is, what it came to.

``seqgan-bench methods`` writes it between ``<!-- methods -->`` and ``<!-- /methods -->``.
"""

from __future__ import annotations

import re
from typing import Any

from seqgan.cli.methods import outcome
from seqgan.config.methods import method_names, read_method

from .suite import Method
from .suite_files import common_methods

__all__ = ["command", "indexed"]

BLOCK = re.compile(r"<!-- methods -->\n.*?<!-- /methods -->", re.DOTALL)
SUITES = "grammar oracle20 coco-iid"
"""Suites that every method of the family is run in."""
RUN = (
    "seqgan-bench run {suites} --arms {arms} --size standard --seeds 0,1,2 --data_dir data "
    "--output_dir benchmarks/results/standard"
)
COUNTING = "python -m benchmarks.policy_methods --seeds 5"
"""Measures the methods for rewards of a user's own, which are no arm of the suites."""
COUNTED = "[counting tokens](rewards.md#methods)"
"""A link to their figures."""
USUAL = ("random",)
"""Rewards of the controls that nearly every method has."""
UNCHANGED = "benchmarks.baselines:unchanged"
SHARED_PAGES = {"seqgan-logodds": "seqgan"}
"""Methods that the page of another describes."""


def command(name: str) -> str:
    """The command that reproduces the row of a method: MLE, the method, and its controls."""
    known = common_methods()
    if name not in known:
        return COUNTING
    method = known[name]
    arms = ["mle", name, *(f"{name}-{reward}" for reward in method.controls)]
    return RUN.format(suites=SUITES, arms=",".join([*arms, *_mle_of(method, known)]))


def indexed(text: str, rows: dict[str, list[dict[str, Any]]]) -> str:
    """A page with the index made again.

    Args:
        text: the page.
        rows: for each method its rows, as `method_rows.rows_by_method` gives them.
    """
    lines = ["| method | what it is | source | page | our table |", f"|{'---|' * 5}"]
    for name in method_names():
        method = read_method(name)
        source = f"[{method.paper}]({method.link})" if method.paper else ""
        page = f"[page](methods/{SHARED_PAGES.get(name, name)}.md)"
        told = outcome(rows.get(name, [])) if name in common_methods() else COUNTED
        cells = [f"`{name}`", method.title, source, page, told]
        lines.append(f"| {' | '.join(cells)} |")
    block = "\n".join(["<!-- methods -->", "", _commands(), "", *lines, "", "<!-- /methods -->"])
    return BLOCK.sub(lambda match: block, text)


def _commands() -> str:
    """The command of a row, and the methods whose rows need more, or another one."""
    known, counted, more = common_methods(), [], []
    for name in method_names():
        if name not in known:
            counted.append(f"`{name}`")
            continue
        method = known[name]
        others = [f"{name}-{reward}" for reward in method.controls if reward not in USUAL]
        others += _mle_of(method, known)
        if others:
            more.append(f"`{name}`: {', '.join(f'`{arm}`' for arm in others)}")
    run = RUN.format(suites=SUITES, arms=",".join(["mle", "NAME", *(f"NAME-{x}" for x in USUAL)]))
    return (
        f"The row of the method NAME is made by `{run}`; some have more arms ({'; '.join(more)}). "
        f"Those of {', '.join(counted)} are made by `{COUNTING}`."
    )


def _mle_of(method: Method, known: dict[str, Method]) -> list[str]:
    """The arms with MLE of the network that a method begins with, if it has one of its own."""
    if not method.own_start:
        return []
    generator = method.config.get("generator")
    return [
        each.name
        for each in known.values()
        if each.call == UNCHANGED and each.config.get("generator") == generator
    ]
