"""Corpus BLEU, computed by sacreBLEU, for tasks in which every hypothesis has its own references.

It sums the matches over all hypotheses before it divides (Papineni et al. 2002), where `bleu` takes
the mean of the scores of the hypotheses.
"""

from __future__ import annotations

from collections.abc import Iterable

from seqgan.errors import MetricError
from seqgan.metrics.score import Score
from seqgan.metrics.tokens import Corpus, as_sequences, check_order, encode

__all__ = ["corpus_bleu"]


def corpus_bleu(
    hypotheses: Corpus,
    references: Iterable[Corpus],
    max_order: int = 4,
    *,
    smooth: str = "exp",
) -> Score:
    """Corpus BLEU of hypotheses with references of their own (translation, continuation).

    Tokens count as they are: sacreBLEU gets their numbers, joined by spaces, with
    ``tokenize="none"``, so it can neither split a token that holds a space nor change its case.

    Args:
        hypotheses: H sequences.
        references: H collections of reference sequences, the i-th for the i-th hypothesis, each of
            at least one; their sizes may differ.
        max_order: the largest order, in tokens.
        smooth: sacreBLEU's smoothing: "exp", "floor", "add-k" or "none".

    Returns:
        The score on a scale of 0 to 1 (sacreBLEU's own goes to 100), without an interval; its
        signature ends with sacreBLEU's.

    Raises:
        MetricError: there is no hypothesis, the numbers differ, a hypothesis has no reference, the
            smoothing is unknown, or something is not a token sequence.
    """
    from sacrebleu.metrics.bleu import BLEU

    check_order(max_order)
    if smooth not in BLEU.SMOOTH_DEFAULTS:
        raise MetricError(f"smooth must be one of {list(BLEU.SMOOTH_DEFAULTS)}, got {smooth!r}")
    rows = as_sequences(hypotheses, "hypotheses")
    own = [as_sequences(r, f"references[{i}]") for i, r in enumerate(references)]
    if len(own) != len(rows):
        raise MetricError(f"{len(rows)} hypotheses but references for {len(own)}")
    lines = iter(_lines(rows + [row for group in own for row in group]))
    texts = [next(lines) for _ in rows]
    per_hypothesis = [[next(lines) for _ in group] for group in own]
    # sacreBLEU wants one stream a reference; None where a hypothesis has fewer than others.
    most = max(map(len, per_hypothesis))
    streams = [[r[k] if k < len(r) else None for r in per_hypothesis] for k in range(most)]
    metric = BLEU(tokenize="none", smooth_method=smooth, max_ngram_order=max_order, force=True)
    value = metric.corpus_score(texts, streams).score / 100  # type: ignore[arg-type]
    name = f"corpus-bleu-{max_order}"
    text = f"metric:{name}|scale:0-1|{metric.get_signature()}"
    return Score(name, value, None, len(rows), "higher", text)


def _lines(rows: list) -> list[str]:
    """Each sequence as one line of token numbers."""
    encoded = encode(rows)
    words = map(str, encoded.ids.tolist())
    return [" ".join(next(words) for _ in range(length)) for length in encoded.lengths.tolist()]
