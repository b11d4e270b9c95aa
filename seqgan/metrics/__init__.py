"""Metrics of generated sequences: pure functions over sequences of tokens, words or ids alike.

A corpus is a list of token lists (or an integer array), never a file path. None of the n-gram
metrics needs torch.
"""

from seqgan.metrics.bleu import backward_bleu, bleu, bleu_f1, sampled_self_bleu, self_bleu
from seqgan.metrics.corpus import corpus_bleu
from seqgan.metrics.diversity import (
    LengthStatistics,
    distinct_n,
    length_statistics,
    repetition,
    unique_share,
)
from seqgan.metrics.embedding import frechet_distance, frechet_interval, mauve
from seqgan.metrics.novelty import CopiedLengths, copied_share, longest_copied
from seqgan.metrics.overlap import ms_jaccard
from seqgan.metrics.score import (
    Direction,
    Score,
    bootstrap_interval,
    jackknife_interval,
    signature,
    statistic_interval,
    wilson_interval,
)
from seqgan.metrics.tokens import Corpus

__all__ = [
    "CopiedLengths",
    "Corpus",
    "Direction",
    "LengthStatistics",
    "Score",
    "backward_bleu",
    "bleu",
    "bleu_f1",
    "bootstrap_interval",
    "copied_share",
    "corpus_bleu",
    "distinct_n",
    "frechet_distance",
    "frechet_interval",
    "jackknife_interval",
    "length_statistics",
    "longest_copied",
    "mauve",
    "ms_jaccard",
    "repetition",
    "sampled_self_bleu",
    "self_bleu",
    "signature",
    "statistic_interval",
    "unique_share",
    "wilson_interval",
]
