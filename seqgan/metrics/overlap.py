r"""MS-Jaccard: how much of the n-grams of two sets is the same, quality and diversity at once.

Montahaei et al. 2019, "Jointly measuring diversity and quality in text generation models". With
:math:`c_n(g, X)` the number of times the n-gram g occurs in the set X divided by the number of
sequences of X,

.. math:: J_n = \frac{\sum_g \min\{c_n(g, A), c_n(g, B)\}}{\sum_g \max\{c_n(g, A), c_n(g, B)\}},
          \qquad \mathrm{MSJ}_N = \Big(\prod_{n=1}^N J_n\Big)^{1/N}

where g runs over the n-grams of A and B together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqgan.metrics.ngrams import Runs, ngram_runs
from seqgan.metrics.tokens import Corpus, as_sequences, check_order, encode

__all__ = ["ms_jaccard"]


def ms_jaccard(generated: Corpus, real: Corpus, max_order: int = 5) -> dict[int, float]:
    """MS-Jaccard of two sets of sequences; symmetric, 1 where their n-gram frequencies agree.

    The frequencies are per sequence, not per n-gram, as in the paper, so a set of shorter sequences
    scores lower even where its n-grams are right.

    Args:
        generated: sequences of the generator.
        real: sequences of the data; their number may differ.
        max_order: the largest order N, in tokens.

    Returns:
        For N = 1 to `max_order` the geometric mean of J_1 to J_N, in [0, 1]: 0 where an order
        shares no n-gram, NaN from the first order that has no n-gram in either set.

    Raises:
        MetricError: a set is empty, or something is not a token sequence.
    """
    check_order(max_order)
    real_rows = as_sequences(real, "real")
    generated_rows = as_sequences(generated, "generated")
    split = len(real_rows)
    encoded = encode(real_rows + generated_rows)

    def in_both(runs: Runs) -> NDArray[np.bool_]:
        return (runs.first < split) & (runs.last >= split)

    smaller = np.zeros(max_order)
    for runs, _ in ngram_runs(encoded.ids, encoded.owners(), max_order, in_both):
        from_real = runs.count(runs.owner < split)
        from_generated = np.diff(runs.edges) - from_real
        rates = np.minimum(from_real / split, from_generated / len(generated_rows))
        # Of orders beyond the first, n-grams of one set only are not all there: they add 0 here.
        smaller[runs.order - 1] = rates.sum()
    scores = {}
    log_product = 0.0
    for order in range(1, max_order + 1):
        counts = encoded.num_ngrams(order)
        both = counts[:split].mean() + counts[split:].mean()
        # The larger of two numbers is their sum less the smaller.
        with np.errstate(divide="ignore", invalid="ignore"):
            log_product += np.log(smaller[order - 1] / (both - smaller[order - 1]))
        scores[order] = float(np.exp(log_product / order))
    return scores
