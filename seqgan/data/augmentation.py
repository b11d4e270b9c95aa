"""Augmentations: changed copies of sequences for the discriminator, so that it memorises less.

Each function here, and one of the user's, takes sequences, a share, a generator of random numbers
and the codec of the data, and returns as many sequences, of any width. `augmentation` makes one
function of the chosen ones, which needs the sequences and the random numbers alone. Random numbers
come from the CPU; `random_smiles` reads the sequences from the device, the others do not. If a
changed sequence is as real as the sequence itself (a SMILES string from another atom on), changing
real sequences alone is right. If it is not (dropped tokens), generated sequences have to be changed
in the same way, or the generator learns the damage (Zhao et al. 2020, "Differentiable augmentation
for data-efficient GAN training").

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rollout import Sequences

from ..config.augmentations import AUGMENTATIONS
from ..config.components import named
from ..config.dotted import import_dotted
from ..errors import ConfigError, DataError, MissingExtraError
from .codec import Codec

__all__ = [
    "Augmentation", "augmentation", "mask", "random_smiles", "reversal", "swap", "token_dropout",
    "window_crop",
]  # fmt: skip

Augmentation = Callable[[Sequences, torch.Generator], Sequences]
"""All chosen augmentations, one after the other."""


def augmentation(names: list[str], share: float, codec: Codec) -> Augmentation | None:
    """The augmentations of a setting, one after the other; None if there are none.

    Args:
        names: of `AUGMENTATIONS`, or dotted paths of functions of the user's.
        share: of tokens, or of sequences, that each changes.
        codec: of the data.

    Raises:
        ConfigError: a path cannot be imported, or an augmentation does not fit the data.
        MissingExtraError: an augmentation needs a package that is not installed.
    """
    functions = [
        named(AUGMENTATIONS[name]) if name in AUGMENTATIONS
        else import_dotted(name, "--critic.augment")
        for name in names
    ]  # fmt: skip
    if not functions:
        return None
    _check(names, codec)

    def changed(sequences: Sequences, rng: torch.Generator) -> Sequences:
        for name, function in zip(names, functions, strict=True):
            found = function(sequences, share, rng, codec)
            if not isinstance(found, Sequences) or len(found) != len(sequences):
                raise ConfigError(
                    f"--critic.augment {name}: returned {_shape(found)}, not {len(sequences)} "
                    "sequences"
                )
            sequences = found
        return sequences

    return changed


def token_dropout(
    sequences: Sequences, share: float, rng: torch.Generator, codec: Codec
) -> Sequences:
    """Leaves out a share of the tokens; the last one (EOS) stays."""
    kept = _uniforms(sequences, rng) >= share
    kept |= _last(sequences)
    kept &= sequences.mask
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    return _with(sequences, sequences.tokens.gather(1, order), kept.sum(1))


def swap(sequences: Sequences, share: float, rng: torch.Generator, codec: Codec) -> Sequences:
    """Swaps a share of the neighbouring tokens; the last one (EOS) stays."""
    width = sequences.tokens.shape[1]
    places = torch.arange(width, device=sequences.device)
    offset = torch.randint(2, (len(sequences), 1), generator=rng).to(sequences.device)
    first = (places + offset) % 2 == 0
    inside = places + 1 < sequences.lengths[:, None] - 1
    chosen = first & inside & (_uniforms(sequences, rng) < share)
    follows = torch.zeros_like(chosen)
    follows[:, 1:] = chosen[:, :-1]
    order = places + chosen.long() - follows.long()
    return _with(sequences, sequences.tokens.gather(1, order), sequences.lengths)


def window_crop(
    sequences: Sequences, share: float, rng: torch.Generator, codec: Codec
) -> Sequences:
    """Keeps a window of each sequence, shorter by at most `share` of its tokens."""
    draws = torch.rand(2, len(sequences), generator=rng, dtype=torch.float64).to(sequences.device)
    lost = (sequences.lengths * share * draws[0]).long().clamp(min=0)
    lost = torch.minimum(lost, sequences.lengths - 1)
    start = (draws[1] * (lost + 1)).long()
    width = sequences.tokens.shape[1]
    places = (torch.arange(width, device=sequences.device) + start[:, None]).clamp(max=width - 1)
    assert sequences.terminated is not None
    whole = sequences.terminated & (start == lost)
    cropped = _with(sequences, sequences.tokens.gather(1, places), sequences.lengths - lost)
    return Sequences(cropped.tokens, cropped.lengths, whole, cropped.condition)


def mask(sequences: Sequences, share: float, rng: torch.Generator, codec: Codec) -> Sequences:
    """Puts <unk> in the place of a share of the tokens; the last one (EOS) stays."""
    hidden = (_uniforms(sequences, rng) < share) & sequences.mask & ~_last(sequences)
    tokens = sequences.tokens.masked_fill(hidden, codec.unknown_ids[0])
    return _with(sequences, tokens, sequences.lengths)


def reversal(sequences: Sequences, share: float, rng: torch.Generator, codec: Codec) -> Sequences:
    """Turns a share of the sequences around; EOS stays at the end."""
    assert sequences.terminated is not None
    chosen = (torch.rand(len(sequences), generator=rng) < share).to(sequences.device)
    body = sequences.lengths - sequences.terminated.long()
    places = torch.arange(sequences.tokens.shape[1], device=sequences.device)
    turned = torch.where(places < body[:, None], body[:, None] - 1 - places, places)
    order = torch.where(chosen[:, None], turned, places)
    return _with(sequences, sequences.tokens.gather(1, order), sequences.lengths)


def random_smiles(
    sequences: Sequences, share: float, rng: torch.Generator, codec: Codec
) -> Sequences:
    """Writes a share of the molecules from another atom on: the same molecule, other tokens.

    A string that is no molecule, or that would be too long or need an unknown token, stays as it
    is. Needs rdkit.
    """
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")  # it writes a line for every string that is no molecule
    chosen = (torch.rand(len(sequences), generator=rng) < share).tolist()
    seeds = torch.randint(1 << 31, (len(sequences),), generator=rng).tolist()
    rows, longest = sequences.to_lists(), codec.spec.max_length
    texts = codec.texts(sequences)
    for i in [i for i, wanted in enumerate(chosen) if wanted]:
        molecule = Chem.MolFromSmiles(texts[i])
        if molecule is None:
            continue
        (text,) = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seeds[i])
        try:
            row = codec.encode(text)
        except DataError:
            continue
        ended = codec.spec.eos_id is not None and rows[i][-1:] == [codec.spec.eos_id]
        row += [codec.spec.eos_id] if ended and codec.spec.eos_id is not None else []
        if len(row) <= longest:
            rows[i] = row
    found = Sequences.from_lists(rows, codec.spec.pad_id).to(sequences.device)
    return _with(sequences, found.tokens, found.lengths)


def _check(names: list[str], codec: Codec) -> None:
    """Refuses augmentations that the data cannot bear."""
    if "mask" in names and not codec.unknown_ids:
        raise ConfigError(
            "--critic.augment mask: puts <unk> in the place of tokens, and the tokens of these "
            "data are bare ids; token_dropout needs none"
        )
    if "random_smiles" in names:
        try:
            import rdkit  # noqa: F401
        except ImportError:
            raise MissingExtraError(
                "rdkit", "molecules", "--critic.augment random_smiles"
            ) from None


def _uniforms(sequences: Sequences, rng: torch.Generator) -> Tensor:
    """A number in [0, 1) per token [B, T]."""
    return torch.rand(sequences.tokens.shape, generator=rng).to(sequences.device)


def _last(sequences: Sequences) -> Tensor:
    """Bool [B, T], True at the last token of each sequence."""
    places = torch.arange(sequences.tokens.shape[1], device=sequences.device)
    return places == sequences.lengths[:, None] - 1


def _with(sequences: Sequences, tokens: Tensor, lengths: Tensor) -> Sequences:
    return Sequences(tokens, lengths, sequences.terminated, sequences.condition)


def _shape(found: Any) -> str:
    return f"{len(found)}" if isinstance(found, Sequences) else f"a {type(found).__name__}"
