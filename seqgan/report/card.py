"""The page that goes with a model on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.sharing import FLAGS

__all__ = ["model_card"]


def model_card(facts: Mapping[str, Any]) -> str:
    """The model card in Markdown: what it is, its scores with intervals, its command.

    Args:
        facts: "source", "model", "scores", "verdict", "command", "version" of the toolkit that
            trained it, "confidence" of the intervals, "bases", the pretrained models that generator
            and discriminator go on from.
    """
    level = facts.get("confidence")
    interval = "interval" if level is None else f"{100 * level:g}% interval"
    rows = [
        f"| {score['name']} | {score['value']:.4f} | {_interval(score['interval'])} "
        f"| {score['n']:,} | `{score['signature'].replace('|', ' ')}` |"
        for score in facts.get("scores", [])
    ]
    verdict = (facts.get("verdict") or {}).get("sentence", "Not compared with another model.")
    lines = [
        "---",
        "library_name: seqgan-toolkit",
        "tags: [seqgan, text-generation]",
        "---",
        "# A generator of discrete sequences",
        f"Trained on `{facts.get('source', 'unknown')}` with seqgan-toolkit "
        f"{facts.get('version') or '(version unknown)'} ({facts.get('model', 'model')}).",
        *(_base(kind, base) for kind, base in (facts.get("bases") or {}).items() if base),
        "## Verdict against MLE",
        verdict,
        "## Scores",
        f"| metric | value | {interval} | n | signature |",
        "|---|---|---|---|---|",
        *rows,
        "## Made by",
        "```bash",
        str(facts.get("command", "unknown")),
        "```",
        "## Use",
        "```python",
        "from seqgan import TextGenerator",
        "",
        'print(TextGenerator.from_pretrained("PATH_OR_REPOSITORY").sample(10))',
        "```",
    ]
    # A blank line between blocks, none inside tables and code.
    return "\n".join(_spaced(lines)) + "\n"


def _base(kind: str, base: Mapping[str, str]) -> str:
    flag = FLAGS[kind]
    return (
        f"The {kind} goes on from the pretrained model `{base['name']}` (SHA-256 of its weights: "
        f"`{base['sha256']}`), which is no part of it: `seqgan pull` and `seqgan sample` take its "
        f"place with `{flag} PATH`, `from_pretrained` as `{flag.lstrip('-')}`."
    )


def _interval(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _spaced(lines: list[str]) -> list[str]:
    """Blank lines around headings and paragraphs, so that Markdown reads them as such."""
    spaced: list[str] = []
    for line in lines:
        if line.startswith("#") and spaced and spaced[-1] != "":
            spaced.append("")
        spaced.append(line)
        if line.startswith("#") or line.endswith("."):
            spaced.append("")
    return spaced
