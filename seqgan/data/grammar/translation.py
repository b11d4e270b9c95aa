"""A toy translation: English sentences, and the one right translation of each.

The other language is made up. It puts the adjective after the noun and the verb at the end, marks
gender and number on article and adjective, and number on noun and verb. So a model has to reorder
words and to look at several of them for one ending, and corpus BLEU can reach 100.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from rollout import Sequences

from ...config.drawn_corpus import TranslationCorpus
from ...errors import ConfigError
from ...seeding import derive_seed
from ..codec import WordCodec
from ..conditions import Conditions
from ..dataset import Dataset, drawn_report
from ..spec import TokenSpec
from ..text.tokenizers import make_tokenizer
from ..text.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

__all__ = ["SENTENCES", "load_translation", "translated"]

NOUNS = {
    "dog": ("kano", "m"), "cat": ("feli", "f"), "bird": ("avio", "m"), "horse": ("kaval", "m"),
    "cow": ("vaka", "f"), "child": ("ninio", "m"), "girl": ("donia", "f"), "king": ("rego", "m"),
    "house": ("domo", "m"), "tree": ("arbo", "f"), "river": ("rivia", "f"), "book": ("libro", "m"),
}  # fmt: skip
ADJECTIVES = {
    "small": "pikol", "big": "grand", "red": "rus", "white": "blank", "old": "vek", "new": "nuv",
    "good": "bon", "quiet": "tranki",
}  # fmt: skip
VERBS = {
    "see": "vid", "find": "trov", "follow": "segi", "love": "am", "hear": "audi", "draw": "pikt",
}  # fmt: skip
ADVERBS = {"often": "ofto", "today": "hodie", "never": "nunka"}
ENDINGS = {"m": "o", "f": "a"}

LONGEST = 9
"""Tokens of the longest sentence of both languages, EOS counted."""
PHRASES = 2 * 2 * len(NOUNS) * (1 + len(ADJECTIVES))
SENTENCES = PHRASES**2 * len(VERBS) * (1 + len(ADVERBS))
"""Different sentences."""


class Phrase(NamedTuple):
    """A noun phrase.

    Attributes:
        definite: the, or a and some.
        plural: several.
        adjective: English, or "".
        noun: English.
    """

    definite: bool
    plural: bool
    adjective: str
    noun: str

    def english(self) -> list[str]:
        """The words in English."""
        article = "the" if self.definite else "some" if self.plural else "a"
        return [
            article,
            *([self.adjective] if self.adjective else []),
            self.noun + "s" * self.plural,
        ]

    def other(self) -> list[str]:
        """The words in the other language."""
        noun, gender = NOUNS[self.noun]
        ending = ENDINGS[gender] + "s" * self.plural
        article = ("l" if self.definite else "un") + ending
        adjective = [ADJECTIVES[self.adjective] + ending] if self.adjective else []
        return [article, noun + "s" * self.plural, *adjective]


def translated(subject: Phrase, verb: str, target: Phrase, adverb: str) -> tuple[str, str]:
    """A sentence in both languages."""
    english = [*subject.english(), verb + "s" * (not subject.plural), *target.english()]
    other = [*subject.other(), *target.other(), VERBS[verb] + ("n" if subject.plural else "t")]
    if adverb:
        english.append(adverb)
        other.insert(0, ADVERBS[adverb])
    return " ".join(english), " ".join(other)


def load_translation(config: TranslationCorpus, seed: int) -> Dataset:
    """Pairs drawn at random, no source in two splits.

    Raises:
        ConfigError: more pairs are asked for than the grammar can give.
    """
    total = sum(config.counts.values())
    if total > SENTENCES // 2:
        raise ConfigError(
            f"--corpus.num_train and the other sizes: together {total:,}; the toy language has "
            f"{SENTENCES:,} sentences, of which half can be drawn"
        )
    pairs = _drawn(total, random.Random(derive_seed(seed, "translation")))
    tokenizer = make_tokenizer("spaces")
    words = [Vocabulary.build((text.split() for text in side), 0, 1) for side in _all_words()]
    rows = [
        [vocabulary.encode(pair[i].split()) for pair in pairs] for i, vocabulary in enumerate(words)
    ]
    conditions = Conditions((), words[0], tokenizer, LONGEST)
    spec = TokenSpec(len(words[1]), BOS, EOS, PAD, LONGEST, (PAD, BOS, UNK))
    spec = conditions.announced(spec)
    splits, start = {}, 0
    for name, count in config.counts.items():
        some = slice(start, start + count)
        source = Sequences.from_lists(rows[0][some], PAD, width=conditions.source_length)
        target = Sequences.from_lists(rows[1][some], PAD, terminated=True)
        condition = {"source": source.tokens, "source_length": source.lengths}
        splits[name] = Sequences(target.tokens, target.lengths, target.terminated, condition)
        start += count
    codec = WordCodec(words[1], tokenizer, spec)
    counted = ", ".join(f"{count:,} {name}" for name, count in config.counts.items())
    return Dataset(
        "translation", splits["train"], splits["validation"], splits["heldout"], splits["test"],
        codec, lambda name: codec.rows(splits[name]),
        report=drawn_report(spec, splits),
        report_lines=[
            f"translation: pairs of {SENTENCES:,} sentences: {counted}",
            *conditions.lines(splits["train"].condition),
        ],
        conditions=conditions,
    )  # fmt: skip


def _drawn(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Different pairs in random order."""
    found: dict[str, str] = {}
    while len(found) < count:
        subject, target = (
            Phrase(
                rng.random() < 0.6, rng.random() < 0.4,
                rng.choice(["", *ADJECTIVES]), rng.choice(list(NOUNS)),
            )
            for _ in range(2)
        )  # fmt: skip
        english, other = translated(
            subject, rng.choice(list(VERBS)), target, rng.choice(["", "", *ADVERBS])
        )
        found[english] = other
    return list(found.items())


def _all_words() -> tuple[list[str], list[str]]:
    """Sentences that hold every word of each language."""
    pairs = [
        translated(
            Phrase(definite, plural, adjective, noun), verb, Phrase(True, False, "", noun), adverb
        )
        for definite in (True, False) for plural in (True, False)
        for noun in NOUNS for adjective in ADJECTIVES
        for verb, adverb in zip(VERBS, [*ADVERBS] * 2, strict=True)
    ]  # fmt: skip
    return [english for english, _ in pairs], [other for _, other in pairs]
