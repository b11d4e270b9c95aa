"""The processes that share the work of a run, and how they come together.

Every process holds whole copies of models, optimizers and data, and keeps the same books. A batch
is one batch of all of them: each works on its rows, and what they found is added up or put
together, so their number changes nothing but rounding. One process is the simplest case: then
nothing is sent, and nothing is done that would not be done without all this.

What goes from process to process are tensors whose shapes all know, and JSON; nothing is pickled.
Losses and gradients go through torch's default group (gloo on CPUs, nccl on GPUs). What the main
process decides for all goes through a group of its own, which waits as long as a measurement takes.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor

from rollout import Sequences
from rollout.devices import is_out_of_memory

from ..errors import ProcessError
from ..terminal import processes

__all__ = ["Part", "Processes", "launcher"]

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""Time that processes wait for a measurement of the main one."""


@dataclass(frozen=True)
class Part:
    """The rows of a batch that one process works on.

    Where there are fewer rows than processes, one without a row of its own works on the first row,
    which then counts nothing: so all processes take the same steps.

    Attributes:
        first: the number of the first row.
        count: rows that count.
        total: rows of the whole batch.
    """

    first: int
    count: int
    total: int

    @property
    def rows(self) -> slice:
        """Rows to work on; at least one."""
        return slice(self.first, self.first + max(1, self.count))

    def of_sequences(self, mean: Tensor) -> Tensor:
        """Share of a mean over the sequences of this part in the mean over the whole batch."""
        return mean if self.count == self.total else mean * (self.count / self.total)

    def of_tokens(self, mean: Tensor, mask: Tensor) -> Tensor:
        """Share of a mean over this part's tokens in the mean over those of the whole batch.

        Args:
            mean: over the tokens of the rows of this part.
            mask: bool [total, T], the tokens that count.
        """
        if self.count == self.total:
            return mean
        mine = mask[self.rows].sum() * min(1, self.count)
        return mean * (mine.to(mean.dtype) / mask.sum().clamp(min=1))


class Processes:
    """The processes of a run, as one of them sees them.

    Args:
        accelerator: knows their number.
        advice: ends the message where one of them is lost: what is left, and how to go on.

    Attributes:
        count: how many share the work.
        index: of this one; 0 is the main one, which measures, writes and speaks.
    """

    def __init__(self, accelerator: Accelerator, advice: Callable[[], str] = lambda: ""):
        self.count, self.index = accelerator.num_processes, accelerator.process_index
        self.device, self.advice = accelerator.device, advice
        if self.count > 1:
            _patient_group()

    @property
    def is_main(self) -> bool:
        """True in the process that measures, writes and speaks."""
        return self.index == 0

    def part(self, total: int) -> Part:
        """This process's part of a batch of `total` rows."""
        first, last = self._bounds(total, self.index)
        return Part(first if last > first else 0, last - first, total)

    def whole(self, mine: Sequences, total: int, condition: Any = None) -> Sequences:
        """The whole batch, out of the sequences that each process has of its part.

        Args:
            mine: those of this process's part, all of one width.
            total: sequences of the whole batch.
            condition: of the whole batch.
        """
        if self.count == 1:
            return mine
        assert mine.terminated is not None
        packed = [mine.tokens, mine.lengths[:, None], mine.terminated[:, None].to(torch.int64)]
        whole = self.gather(torch.cat(packed, 1), self.part(total))
        return Sequences(whole[:, :-2].contiguous(), whole[:, -2], whole[:, -1] > 0, condition)

    def gather(self, values: Tensor, part: Part) -> Tensor:
        """The whole batch's values, out of those that each process has of its part.

        Args:
            values: [rows of the part, ...]; all but the first dimension are the same everywhere.
            part: this process's part.

        Returns:
            [total, ...]

        Raises:
            ProcessError: another process is lost.
        """
        if self.count == 1:
            return values
        bounds = [self._bounds(part.total, index) for index in range(self.count)]
        widest = max(last - first for first, last in bounds)
        mine = values.new_zeros(widest, *values.shape[1:])
        mine[: part.count] = values[: part.count]
        found = [torch.empty_like(mine) for _ in bounds]
        with self._together():
            dist.all_gather(found, mine)
        pieces = zip(found, bounds, strict=True)
        return torch.cat([each[: last - first] for each, (first, last) in pieces])

    def add_up(self, *tensors: Tensor) -> None:
        """Makes each tensor, in place, the sum of what all processes have there: in one message.

        Raises:
            ProcessError: another process is lost.
        """
        if self.count == 1:
            return
        flat = torch.cat([each.reshape(-1) for each in tensors])
        with self._together():
            dist.all_reduce(flat)
            sums = flat.split([each.numel() for each in tensors])
            for each, added in zip(tensors, sums, strict=True):
                each.copy_(added.view_as(each))

    def agree(self, decide: Callable[[], T]) -> T:
        """Result of the main process; the others wait for it.

        Args:
            decide: called in the main process alone; returns what JSON can hold. It must not come
                back here.

        Raises:
            ProcessError: another process is lost.
        """
        if self.count == 1:
            return decide()
        found = decide() if self.is_main else None
        content = list(json.dumps(found).encode())
        size = torch.tensor([len(content)])
        with self._together():
            dist.broadcast(size, 0, group=_patient_group())
            text = torch.tensor(content if self.is_main else [0] * int(size), dtype=torch.uint8)
            dist.broadcast(text, 0, group=_patient_group())
        return found if self.is_main else json.loads(bytes(text.tolist()))  # type: ignore[return-value]

    def first_told(self, text: str | None) -> str | None:
        """The text of the first process that has one; None: no process has any.

        Args:
            text: of this process, or None.

        Raises:
            ProcessError: another process is lost.
        """
        if self.count == 1:
            return text
        content = torch.tensor([*(text or "").encode()], dtype=torch.int64, device=self.device)
        part = self.part(self.count)
        sizes = self.gather(torch.tensor([len(content)], device=self.device), part).tolist()
        if not any(sizes):
            return None
        padded = torch.nn.functional.pad(content, (0, max(sizes) - len(content)))
        texts = self.gather(padded[None], part)
        first = next(row for row, size in enumerate(sizes) if size)
        return bytes(texts[first, : sizes[first]].tolist()).decode()

    def wait(self) -> None:
        """Until all processes are here.

        Raises:
            ProcessError: another process is lost.
        """
        if self.count > 1:
            with self._together():
                dist.barrier(group=_patient_group())

    def part_ways(self) -> None:
        """The shared work is done: once all are here, each goes on alone."""
        if self.count > 1:
            self.wait()
            _patient_group.cache_clear()
            dist.destroy_process_group()
            self.count = 1

    def _bounds(self, total: int, index: int) -> tuple[int, int]:
        return total * index // self.count, total * (index + 1) // self.count

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Makes of torch's error where another process is lost one that says what to do."""
        try:
            yield
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            reason = str(error).strip().split("\n")[0]
            raise ProcessError(
                f"another process of the run has ended, or does not answer ({reason})"
                f"{self.advice()}"
            ) from error


def launcher() -> list[str]:
    """The words that start the toolkit as this process was started, ``seqgan`` where it is alone.

    Of several nodes only their number is known; HOST stands for the first of them.
    """
    world = processes()
    if world == 1:
        return ["seqgan"]
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = []
    if local < world:
        nodes = ["--nnodes", str(world // local), "--rdzv_backend", "c10d"]
        nodes += ["--rdzv_endpoint", "HOST:29500"]
    return ["torchrun", *nodes, "--nproc_per_node", str(local), "-m", "seqgan"]


@functools.cache
def _patient_group() -> Any:
    """Of all processes, with messages from the host's memory whatever the device."""
    return dist.new_group(backend="gloo", timeout=PATIENCE)
