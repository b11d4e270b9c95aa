"""The codec of molecules: text is SMILES, and rdkit draws it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from rollout import Sequences

from .word_codec import WordCodec

__all__ = ["MoleculeCodec", "drawing"]

SHOWN, COLUMNS, SIDE = 12, 4, 200
"""Molecules that are drawn, how many stand side by side, and the pixels of each."""


class MoleculeCodec(WordCodec):
    """Symbols of SMILES or SELFIES; the texts are SMILES."""

    kind: ClassVar[str] = "molecules"
    suffix: ClassVar[str] = ".txt" if find_spec("rdkit") is None else ".svg"

    def show(self, sequences: Sequences, place: Path) -> Path:
        """Draws the first molecules; without rdkit it writes them as text."""
        if self.suffix == ".txt":
            return super().show(sequences, place)
        file = place.with_suffix(self.suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(drawing(self.texts(sequences.select(slice(0, SHOWN)))), encoding="utf-8")
        return file


def drawing(texts: list[str]) -> str:
    """An SVG with a molecule for each SMILES string; one that is none is an empty place.

    Needs rdkit.
    """
    from rdkit import Chem, RDLogger
    from rdkit.Chem.Draw import rdMolDraw2D

    RDLogger.DisableLog("rdApp.*")
    # Behind a blank rdkit expects a name, and does not look at it.
    read = [Chem.MolFromSmiles(text) if text.split() == [text] else None for text in texts]
    found = [Chem.Mol() if each is None else each for each in read]
    legends = ["no molecule" if each is None else "" for each in read]
    rows = -(-len(texts) // COLUMNS)
    drawer = rdMolDraw2D.MolDraw2DSVG(COLUMNS * SIDE, max(1, rows) * SIDE, SIDE, SIDE)
    drawer.DrawMolecules(found, legends=legends)
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())
