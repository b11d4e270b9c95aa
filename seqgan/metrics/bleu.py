r"""BLEU, self-BLEU and what is made of them, in time linear in the data.

The definition is NLTK's ``sentence_bleu`` with ``SmoothingFunction().method1`` and the weights 1/n
on orders 1 to n (Papineni et al. 2002; smoothing: Chen and Cherry 2014):

.. math:: \mathrm{BLEU}_n = \mathrm{BP} \cdot \exp\Big(\frac1n \sum_{k=1}^n \log p_k\Big),
          \qquad p_k = \frac{m_k}{\max(1, |h| - k + 1)}

with m_k the matched k-grams, 0.1 in place of m_k = 0, and 0 for the whole score where not even a
unigram matches (so for an empty hypothesis too). BP is 1 where the hypothesis is longer than the
closest reference and exp(1 - |r|/|h|) elsewhere; of two references that are equally close the
shorter counts. As in NLTK an order above |h| has 0 matches of 1, so it does lower the score.

How it is computed: see `seqgan.metrics.matching`.

Shapes: S sentences, H hypotheses.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from seqgan.errors import MetricError
from seqgan.metrics.matching import (
    bleu_scores,
    closest_length,
    closest_other_length,
    matched_ngrams,
)
from seqgan.metrics.tokens import Corpus, Floats, Ints, as_sequences, check_order, encode

__all__ = ["backward_bleu", "bleu", "bleu_f1", "sampled_self_bleu", "self_bleu"]


@overload
def bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[False] = ...,
    unk: Hashable | None = ...,
) -> dict[int, float]: ...
@overload
def bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[True],
    unk: Hashable | None = ...,
) -> dict[int, Floats]: ...
def bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = 5,
    *,
    per_sentence: bool = False,
    unk: Hashable | None = None,
) -> dict[int, float] | dict[int, Floats]:
    """Forward BLEU: every hypothesis against all references, averaged over the hypotheses.

    Args:
        hypotheses: the sequences to judge, H of them.
        references: real sequences; every one is a reference of every hypothesis.
        max_order: the largest order n, in tokens.
        per_sentence: return the score of every hypothesis instead of the mean.
        unk: the token that stands for unknown words. It keeps its place and counts in lengths and
            denominators, but matches nothing, not even itself: a model gains nothing by writing it.
            None: it is a token like any other (the literature's convention).

    Returns:
        For n = 1 to `max_order` the mean BLEU-n in [0, 1], or float64 [H].

    Raises:
        MetricError: there is no hypothesis or no reference, something is not a token sequence, or
            one side holds words and the other ids.
    """
    check_order(max_order)
    hypothesis_rows = as_sequences(hypotheses, "hypotheses")
    reference_rows = as_sequences(references, "references")
    split = len(reference_rows)
    encoded = encode(reference_rows + hypothesis_rows)

    def shared(first: Ints, last: Ints) -> NDArray[np.bool_]:
        return (first < split) & (last >= split)

    matched = matched_ngrams(encoded, max_order, unk, shared)[:, split:]
    if not matched[0].any():
        _check_same_kind(hypothesis_rows, reference_rows)
    lengths = encoded.lengths[split:]
    closest = closest_length(lengths, encoded.lengths[:split])
    return _result(bleu_scores(matched, lengths, closest), per_sentence)


@overload
def self_bleu(
    sentences: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[False] = ...,
    unk: Hashable | None = ...,
) -> dict[int, float]: ...
@overload
def self_bleu(
    sentences: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[True],
    unk: Hashable | None = ...,
) -> dict[int, Floats]: ...
def self_bleu(
    sentences: Corpus,
    max_order: int = 5,
    *,
    per_sentence: bool = False,
    unk: Hashable | None = None,
) -> dict[int, float] | dict[int, Floats]:
    """Leave-one-out self-BLEU: every sentence against all the others (Zhu et al. 2018, Texygen).

    Lower is more diverse. It depends on the number of sentences: compare sets of one size only.

    Args:
        sentences: the whole set, S of them. A copy of a sentence elsewhere in the set stays among
            its references; only the sentence itself is left out.
        max_order: the largest order n, in tokens.
        per_sentence: return the score of every sentence instead of the mean.
        unk: as in `bleu`.

    Returns:
        For n = 1 to `max_order` the mean self-BLEU-n in [0, 1], or float64 [S].

    Raises:
        MetricError: there are fewer than two sentences, or something is not a token sequence.
    """
    check_order(max_order)
    encoded = encode(as_sequences(sentences, "sentences", at_least=2))
    matched = matched_ngrams(encoded, max_order, unk, lambda first, last: first != last)
    closest = closest_other_length(encoded.lengths)
    return _result(bleu_scores(matched, encoded.lengths, closest), per_sentence)


@overload
def backward_bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[False] = ...,
    unk: Hashable | None = ...,
) -> dict[int, float]: ...
@overload
def backward_bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = ...,
    *,
    per_sentence: Literal[True],
    unk: Hashable | None = ...,
) -> dict[int, Floats]: ...
def backward_bleu(
    hypotheses: Corpus,
    references: Corpus,
    max_order: int = 5,
    *,
    per_sentence: bool = False,
    unk: Hashable | None = None,
) -> dict[int, float] | dict[int, Floats]:
    """Backward BLEU, the recall to `bleu`'s precision: every reference against all hypotheses.

    Shi et al. 2018 ("Toward diverse text generation with inverse reinforcement learning"). It
    grows with the number of hypotheses: compare equal numbers only.

    Args:
        hypotheses: the generated sequences, here in the role of references.
        references: the real sequences, each of which is scored.
        max_order: as in `bleu`.
        per_sentence: return the score of every *reference* instead of the mean.
        unk: as in `bleu`.

    Returns:
        For n = 1 to `max_order` the mean in [0, 1], or float64 with one score a reference.

    Raises:
        MetricError: as in `bleu`.
    """
    # Checked here so that a message calls them by the names of this function.
    real = as_sequences(references, "references")
    generated = as_sequences(hypotheses, "hypotheses")
    if per_sentence:
        return bleu(real, generated, max_order, per_sentence=True, unk=unk)
    return bleu(real, generated, max_order, unk=unk)


def bleu_f1(
    hypotheses: Corpus, references: Corpus, max_order: int = 5, *, unk: Hashable | None = None
) -> dict[int, float]:
    """The harmonic mean of `bleu` and `backward_bleu`, order by order (Shi et al. 2018).

    Args:
        hypotheses: the generated sequences.
        references: the real sequences.
        max_order: as in `bleu`.
        unk: as in `bleu`.

    Returns:
        For n = 1 to `max_order` the F1 in [0, 1]; 0 where both are 0.

    Raises:
        MetricError: as in `bleu`.
    """
    generated = as_sequences(hypotheses, "hypotheses")
    real = as_sequences(references, "references")
    forward = bleu(generated, real, max_order, unk=unk)
    backward = backward_bleu(generated, real, max_order, unk=unk)
    return {n: _harmonic_mean(forward[n], backward[n]) for n in forward}


@overload
def sampled_self_bleu(
    sentences: Corpus,
    num_hypotheses: int = ...,
    num_references: int | None = ...,
    max_order: int = ...,
    *,
    seed: int | np.random.Generator = ...,
    per_sentence: Literal[False] = ...,
    unk: Hashable | None = ...,
) -> dict[int, float]: ...
@overload
def sampled_self_bleu(
    sentences: Corpus,
    num_hypotheses: int = ...,
    num_references: int | None = ...,
    max_order: int = ...,
    *,
    seed: int | np.random.Generator = ...,
    per_sentence: Literal[True],
    unk: Hashable | None = ...,
) -> dict[int, Floats]: ...
def sampled_self_bleu(
    sentences: Corpus,
    num_hypotheses: int = 200,
    num_references: int | None = None,
    max_order: int = 5,
    *,
    seed: int | np.random.Generator = 0,
    per_sentence: bool = False,
    unk: Hashable | None = None,
) -> dict[int, float] | dict[int, Floats]:
    """The other score that goes by the name of self-BLEU: some sentences against some others.

    Not comparable with `self_bleu`: the references are fewer, and how many decides the value.

    Args:
        sentences: the set to draw from, without replacement, so that no sentence is among its own
            references (an equal one elsewhere in the set may be).
        num_hypotheses: sentences that are scored.
        num_references: sentences they are scored against; None takes all the remaining ones.
        max_order: as in `bleu`.
        seed: of the draw, or a numpy generator.
        per_sentence: return the scores of the hypotheses, in the order drawn.
        unk: as in `bleu`.

    Returns:
        For n = 1 to `max_order` the mean in [0, 1], or float64 [`num_hypotheses`].

    Raises:
        MetricError: a number is not positive, or there are not that many sentences.
    """
    rows = as_sequences(sentences, "sentences", at_least=2)
    if num_references is None:
        num_references = len(rows) - num_hypotheses
    if min(num_hypotheses, num_references) < 1 or num_hypotheses + num_references > len(rows):
        raise MetricError(
            f"cannot draw {num_hypotheses} hypotheses and {num_references} references "
            f"(at least one of each) from {len(rows)} sentences"
        )
    drawn = np.random.default_rng(seed).permutation(len(rows))[: num_hypotheses + num_references]
    chosen = [rows[i] for i in drawn.tolist()]
    hypotheses, references = chosen[:num_hypotheses], chosen[num_hypotheses:]
    if per_sentence:
        return bleu(hypotheses, references, max_order, per_sentence=True, unk=unk)
    return bleu(hypotheses, references, max_order, unk=unk)


def _check_same_kind(hypotheses: list, references: list) -> None:
    """Refuses words against ids, which never match: one side was not cut by the same tokenizer."""
    words = [
        {isinstance(token, str) for row in rows for token in row}
        for rows in (hypotheses, references)
    ]
    if words in ([{True}, {False}], [{False}, {True}]):
        ours, theirs = ("words", "ids") if words[0] == {True} else ("ids", "words")
        raise MetricError(
            f"the hypotheses are {ours} and the references are {theirs}: cut both by the same "
            "tokenizer"
        )


def _result(scores: Floats, per_sentence: bool) -> dict[int, float] | dict[int, Floats]:
    """Scores [max_order, H] as the public functions return them."""
    if per_sentence:
        return dict(enumerate(scores, start=1))
    return {n: float(values.mean()) for n, values in enumerate(scores, start=1)}


def _harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b), and 0 where both are 0."""
    return 2 * a * b / (a + b) if a + b > 0 else 0.0
