"""ORGAN's synthesizability and solubility, from 0 to 1, so that its published figures compare.

Guimaraes et al. 2017, section 4.1: both are scores of rdkit, scaled by a line and cut at 0 and 1;
the ends of the lines are those of the authors' code. They are means over the samples that are
molecules, as those of QED are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqgan.data.dataset import Dataset
from seqgan.evaluation.molecules import MOST
from seqgan.evaluation.significance import student_mean
from seqgan.metrics import Score, signature
from seqgan.metrics.molecules import PROPERTIES, molecules

__all__ = ["solubility", "synthesizability"]

LOGP = (-2.12178879609, 6.0429063424)
"""LogP that solubility 0 and 1 stand for."""
ACCESSIBILITY = (5.0, 1.5)
"""Synthetic accessibility that synthesizability 0 and 1 stand for: small is easy."""


def solubility(samples: list[list[str]], data: Dataset) -> Score:
    """LogP from 0 (-2.12) to 1 (6.04): ORGAN's solubility, whose goal is a high logP."""
    return _scaled("solubility", "logp", samples, *LOGP)


def synthesizability(samples: list[list[str]], data: Dataset) -> Score:
    """Synthetic accessibility from 0 (5, hard) to 1 (1.5, easy)."""
    return _scaled("synthesizability", "sa", samples, *ACCESSIBILITY)


def _scaled(
    name: str, of: str, samples: Sequence[Sequence[str]], nothing: float, all_of_it: float
) -> Score:
    """The mean of a property along a line, with Student's interval; 0 where nothing is valid."""
    read = molecules(["".join(row) for row in samples])
    valid = [each for each in read if each is not None][:MOST]
    raw = np.array([PROPERTIES[of](each) for each in valid])
    values = np.clip((raw - nothing) / (all_of_it - nothing), 0.0, 1.0)
    count = len(values)
    mean, interval = float(values.mean()) if count else 0.0, None
    if count > 1:
        _, low, high, _ = student_mean(values)
        interval = max(low, 0.0), min(high, 1.0)
    sign = signature(name, scale=f"{nothing:g}..{all_of_it:g}", n=count)
    return Score(name, mean, interval, count, "higher", sign)
