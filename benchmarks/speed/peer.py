"""The same work by TextGAN-PyTorch, in the same process.

No part of it belongs to the toolkit: ``--peer FOLDER`` names a checkout of
https://github.com/williamSYSU/TextGAN-PyTorch, whose own generator, discriminator and rollouts are
imported from there and timed as its SeqGAN runs them.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from seqgan.errors import ConfigError

from .machine import Timer
from .workload import STILL, Workload

__all__ = ["Peer", "beside"]

_MODULES = ("config", "models", "utils", "metrics")
"""Top-level modules of a checkout, with names that anything may have."""


class _Part(NamedTuple):
    """A part of an operation, and what its time is multiplied by."""

    run: Callable[[], object]
    scale: float


class Peer:
    """Models of a checkout in the sizes of a piece of work.

    Args:
        folder: the checkout.
        work: whose sizes and sequences are taken.

    Raises:
        ConfigError: the folder holds no such checkout, or it cannot be imported.
    """

    def __init__(self, folder: str, work: Workload):
        self.folder, self.work, sizes = Path(folder), work, work.sizes
        on_gpu = work.device.type == "cuda"
        with _imported(self.folder) as module:
            settings: Any = module("config")
            settings.CUDA = on_gpu
            generator, judge = module("models.SeqGAN_G").SeqGAN_G, module("models.SeqGAN_D")
            share = sizes.filter_share
            judge.dis_num_filters = [max(1, round(n * share)) for n in judge.dis_num_filters]
            widths = [min(each, sizes.length) for each in judge.dis_filter_sizes]
            judge.dis_filter_sizes = widths
            size = (work.hidden, work.hidden, sizes.vocabulary, sizes.length, 0)
            self.generator = generator(*size, gpu=on_gpu).to(work.device)
            self.judge = judge.SeqGAN_D(64, sizes.vocabulary, 0, gpu=on_gpu).to(work.device)
            self.rollout = module("utils.rollout").ROLLOUT(self.generator, gpu=on_gpu)
        self.adam = torch.optim.Adam(self.generator.parameters(), lr=STILL)
        self.tokens = work.batch.tokens

    def revision(self) -> str:
        """The commit of the checkout, as far as git knows."""
        words = ["git", "-C", str(self.folder), "rev-parse", "--show-toplevel", "--short", "HEAD"]
        done = subprocess.run(words, capture_output=True, text=True)
        place, _, commit = done.stdout.strip().partition("\n")
        # A folder without a repository of its own may lie in another's.
        own = done.returncode == 0 and Path(place) == self.folder.resolve()
        return commit if own else "unknown"

    def parts(self) -> dict[str, _Part]:
        """Parts of the operations, by the names of the main table."""
        sizes = self.work.sizes
        return {
            "rollouts": _Part(self.rollouts, sizes.rollouts),
            "rewards, fp32": _Part(self.rewards, sizes.rollouts),
            f"sampling {sizes.samples:,} sequences": _Part(
                self.sample, sizes.samples / sizes.batch
            ),
            f"MLE epoch, {sizes.mle_steps * sizes.batch:,} x {sizes.length} tokens": _Part(
                self.mle, sizes.mle_steps
            ),
        }

    @torch.no_grad()
    def rollouts(self) -> None:
        """One rollout of every prefix."""
        for given in range(1, self.work.sizes.length + 1):
            self.rollout.rollout_mc_search(self.tokens, given)

    def rewards(self) -> None:
        """One rollout of every prefix, judged."""
        self.rollout.get_reward(self.tokens, 1, self.judge)

    @torch.no_grad()
    def sample(self) -> None:
        """A batch of sequences."""
        size = self.work.sizes.batch
        self.generator.sample(size, size, 0)

    def mle(self) -> None:
        """A step of maximum likelihood, as its instructor takes it."""
        targets = self.tokens
        inputs = torch.cat([torch.zeros_like(targets[:, :1]), targets[:, :-1]], 1)
        predicted = self.generator.forward(inputs, self.generator.init_hidden(len(inputs)))
        loss = nn.functional.nll_loss(predicted, targets.reshape(-1))
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 5.0)
        self.adam.step()
        loss.item()


def beside(peer: Peer, rows: list[dict[str, Any]], timer: Timer, repeats: int) -> dict[str, Any]:
    """Its times beside those of the main table.

    Args:
        peer: the checkout.
        rows: of the main table, of the same process.
        timer: of its device.
        repeats: of which the median counts.

    Returns:
        "revision", and "rows" with "name", "seconds" and "peer_seconds".
    """
    found = []
    for name, part in peer.parts().items():
        part.run()
        (seconds,) = timer.medians([part.run], repeats)
        for row in rows:
            if row["name"] == name or row["name"].startswith(f"{name}, graphs"):
                theirs = {"peer_seconds": seconds * part.scale}
                found.append({"name": row["name"], "seconds": row["seconds"], **theirs})
    return {"revision": peer.revision(), "rows": found}


@contextmanager
def _imported(folder: Path) -> Iterator[Callable[[str], Any]]:
    """Gives a function that imports modules of a checkout; its names are free again afterwards.

    It writes and reads files in the current folder, which is a temporary one meanwhile.
    """
    if not (folder / "utils" / "rollout.py").is_file():
        raise ConfigError(f"--peer: {folder} holds no checkout of TextGAN-PyTorch")
    here, place = Path.cwd(), str(folder.resolve())
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_theirs(name)}
    sys.path.insert(0, place)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            os.chdir(scratch)
            yield importlib.import_module
            os.chdir(here)
    except ImportError as error:
        raise ConfigError(f"--peer: {folder} cannot be imported ({error}): install it") from error
    finally:
        os.chdir(here)
        sys.path.remove(place)
        for name in [each for each in sys.modules if _is_theirs(each)]:
            del sys.modules[name]
        sys.modules.update(kept)


def _is_theirs(name: str) -> bool:
    return name.partition(".")[0] in _MODULES
