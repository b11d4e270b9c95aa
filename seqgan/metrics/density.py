"""Divergences between a model q and a source p whose density is known.

Everything is in nats per sequence and a Monte Carlo estimate over sequences of p, of q, or of both;
each function gives one term a sequence, whose mean is the estimate and whose spread gives its
error. A sequence that p never emits has log p = -inf.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["forward_kl_terms", "jensen_shannon_terms", "reverse_kl_terms"]


def forward_kl_terms(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """``log p - log q`` on sequences [n] drawn from p: KL(p || q), what likelihood measures."""
    return log_p - log_q


def reverse_kl_terms(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """``log q - log p`` on the sequences [n] drawn from q that p can emit.

    Where q emits what p cannot, KL(q || p) is infinite; the mean of these terms is then a
    divergence over the rest, and has to be read with the share that is left.
    """
    possible = np.isfinite(log_p)
    return log_q[possible] - log_p[possible]


def jensen_shannon_terms(of: str, log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Terms [n] of JS(p, q) = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2 (Lin 1991).

    JS = mean over p's sequences of the terms ``of="p"`` plus the mean over q's of ``of="q"``. It
    lies between 0 and log 2, also where p and q emit different sequences.

    Args:
        of: which of the two the sequences were drawn from: "p" or "q".
        log_p: float [n].
        log_q: float [n].
    """
    own = log_p if of == "p" else log_q
    return 0.5 * (math.log(2) + own - np.logaddexp(log_p, log_q))
