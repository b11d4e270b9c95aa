"""Adversarial and reinforcement-learning generation of discrete sequences.

``seqgan.run(RunConfig(...))`` is what ``seqgan run`` does on the command line. Names are imported
when they are first used, since torch takes seconds to load. The gymnasium environments of `rollout`
are registered as ``seqgan/TokenGeneration-v0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config.version import __version__
from .registration import register_when_possible

if TYPE_CHECKING:
    from .config import RunConfig
    from .hub import TextGenerator
    from .pipeline import RunResult, finetune, pretrain_only, run

__all__ = [
    "RunConfig",
    "RunResult",
    "TextGenerator",
    "__version__",
    "finetune",
    "pretrain_only",
    "run",
]

_PLACES = {
    "RunConfig": "config",
    "RunResult": "pipeline",
    "TextGenerator": "hub",
    "finetune": "pipeline",
    "pretrain_only": "pipeline",
    "run": "pipeline",
}


register_when_possible()


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'seqgan' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
