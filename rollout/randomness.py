"""Uniform numbers that belong to a place, not to the order of the work.

A rollout needs one number for every (sequence, prefix, rollout, position). They come from a
counter-based generator: the place is hashed together with a key drawn once from the caller's
``torch.Generator``. So nothing has to be drawn ahead or kept, and no result depends on how rows
are put into chunks or when finished rows are dropped.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
number generators", figure 15), in int64 arithmetic that wraps, which torch has on every device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .devices import exact_device

__all__ = ["UniformStream", "seed_everything", "seeded_generator"]

_TWISTER = slice(24, 24 + 8 * 624)
"""Bytes of the state of a CPU generator that hold its Mersenne Twister, one word in each eight."""


def seeded_generator(seed: int) -> torch.Generator:
    """A CPU generator whose numbers depend on all 64 bits of a seed.

    On a CPU, torch's `manual_seed` fills its Mersenne Twister from the lower 32 bits alone. A seed
    below 2^32 gives that generator; for a larger one numpy's `SeedSequence` fills the twister.

    Args:
        seed: from -2^63 to 2^64 - 1, negative ones counted from 2^64 down, as torch does.

    Raises:
        ValueError: a seed of more than 64 bits.
    """
    if not -(1 << 63) <= seed < 1 << 64:
        raise ValueError(f"a seed must lie in [-2^63, 2^64), got {seed}")
    rng = torch.Generator().manual_seed(seed)
    seed %= 1 << 64
    if seed >= 1 << 32:
        words = np.random.MT19937(seed).state["state"]["key"].astype(np.uint64)
        state = rng.get_state()
        state[_TWISTER] = torch.from_numpy(words.view(np.uint8))
        rng.set_state(state)
    return rng


def seed_everything(seed: int) -> None:
    """Seeds torch's default generators by all 64 bits: of the CPU and of every accelerator."""
    torch.manual_seed(seed)
    torch.set_rng_state(seeded_generator(seed).get_state())


def _signed(value: int) -> int:
    """The int64 with the same 64 bits."""
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MUL_1 = _signed(0xBF58476D1CE4E5B9)
_MUL_2 = _signed(0x94D049BB133111EB)


def _shift_right(bits: Tensor, count: int) -> Tensor:
    """Logical shift: `>>` on int64 copies the sign bit, so it is masked away."""
    return (bits >> count) & ((1 << (64 - count)) - 1)


def _mix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift_right(bits, 30)) * _MUL_1
    bits = (bits ^ _shift_right(bits, 27)) * _MUL_2
    return bits ^ _shift_right(bits, 31)


class UniformStream:
    """Uniform numbers in (0, 1), one for every place.

    Args:
        rng: where the key is drawn from (one number); None: torch's default generator.
        device: where the numbers are needed.
    """

    def __init__(self, rng: torch.Generator | None, device: torch.device | str):
        source = rng.device if rng is not None else "cpu"
        key = torch.randint(
            -(1 << 63), (1 << 63) - 1, (1,), dtype=torch.int64, generator=rng, device=source
        )
        # A caller's generator on a CPU has lost the upper half of its seed (`seeded_generator`).
        upper = (torch.default_generator if rng is None else rng).initial_seed() >> 32
        if upper:
            key = _mix(key + upper)
        self._key = key.to(device)

    @property
    def key(self) -> Tensor:
        """The key that was drawn, int64 [1] on the device."""
        return self._key

    @classmethod
    def of(cls, key: Tensor) -> UniformStream:
        """The stream with a key that another one drew."""
        stream = cls.__new__(cls)
        stream._key = key
        return stream

    def rows(self, *place: Tensor) -> Tensor:
        """A key for each row from its place: int64 tensors that broadcast, e.g. [P, 1] and [N]."""
        key = self._key
        for part in place:
            key = _mix(key + (part + 1) * _GAMMA)
        return key

    def uniforms(self, rows: Tensor, position: int) -> Tensor:
        """The number of each row (keys of `rows`) at a token position, float64 in (0, 1).

        52 bits each, in the middle of their interval, so neither 0 nor 1 comes out. On a device
        without float64 they lie on the host.
        """
        return self.ahead(rows, position, 1)[0]

    def ahead(self, rows: Tensor, position: int, count: int) -> Tensor:
        """The numbers [count, ...] of rows [...] at `count` positions from `position` on.

        Many at once, since the hash is a dozen small operations whatever their number.
        """
        places = torch.arange(position + 1, position + 1 + count, device=rows.device)
        counters = (places * _GAMMA).view(-1, *[1] * rows.ndim)
        bits = _shift_right(_mix(rows + counters), 12).to(exact_device(rows.device))
        return (bits.to(torch.float64) + 0.5) * 2.0**-52
