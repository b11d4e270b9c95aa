"""Grammars and their policies, against numbers worked out by hand and against derivations."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from collections import Counter

import pytest
import torch

from rollout.monte_carlo import action_values
from rollout.policy import Policy
from rollout.sequences import Sequences
from seqgan.data.grammar.automaton import Automaton
from seqgan.data.grammar.policy import Grammar, GrammarPolicy
from seqgan.errors import ConfigError, DataError

from .plain import sample

# dogs run 3/8, cats run 3/8, a dog 1/8, a dog sleeps 1/8
TINY = """
# a comment
S -> 3 MANY run | a dog REST
MANY -> dogs
  | cats
REST -> | sleeps
"""

# Two derivations open with "the dog": P(dog | the) = 1/4 * 1/2 + 3/4 * 1/4 = 5/16.
SHARED = """
S -> the X | 3 the Y
X -> cat | dog
Y -> dog sleeps | 3 cow
"""


@pytest.fixture(scope="module")
def tiny() -> GrammarPolicy:
    return GrammarPolicy(Grammar.parse(TINY), max_length=5)


@pytest.fixture(scope="module")
def captions() -> GrammarPolicy:
    return GrammarPolicy()


@pytest.fixture(scope="module")
def samples(captions: GrammarPolicy) -> Sequences:
    return sample(captions, 20_000, seed=1)


@pytest.fixture(scope="module")
def derivations(captions: GrammarPolicy) -> list[tuple[list[str], float]]:
    rng = random.Random(2)
    return [captions.grammar.derive(rng) for _ in range(20_000)]


class TestByHand:
    def test_vocabulary(self, tiny):
        assert tiny.tokens == (
            "<pad>", "<bos>", "<eos>", "<unk>", "a", "cats", "dog", "dogs", "run", "sleeps",
        )  # fmt: skip
        assert (tiny.pad_id, tiny.bos_id, tiny.eos_id, tiny.unk_id) == (0, 1, 2, 3)
        assert tiny.vocab_size == 10

    def test_states(self, tiny):
        # the start, "dogs" = "cats", "a", "a dog", and every complete sentence
        assert len(tiny.automaton) == 5
        assert tiny.automaton.start == 4

    def test_log_prob(self, tiny):
        sentences = ["dogs run", "cats run", "a dog", "a dog sleeps", "a", "dogs sleeps", "a cat"]
        log_probs = tiny.log_prob(tiny.encode([text.split() for text in sentences]))
        assert log_probs.dtype == torch.float64
        expected = [3 / 8, 3 / 8, 1 / 8, 1 / 8, 0, 0, 0]
        assert log_probs.exp().tolist() == pytest.approx(expected, abs=1e-7)

    def test_tokens(self, tiny):
        scores = tiny(tiny.encode([["a", "dog", "sleeps"], ["cats", "run"], ["run", "a"]]))
        log = math.log
        inf = math.inf
        assert scores.log_prob.tolist() == [
            pytest.approx([log(1 / 4), 0, log(1 / 2), 0]),
            pytest.approx([log(3 / 8), 0, 0, 0]),
            pytest.approx([-inf, -inf, -inf, 0]),
        ]
        start = 2 * 3 / 8 * log(8 / 3) + 1 / 4 * log(4)
        assert scores.entropy.tolist() == [
            pytest.approx([start, 0, log(2), 0]),
            pytest.approx([start, 0, 0, 0]),
            pytest.approx([start, 0, 0, 0]),
        ]

    def test_closed_forms(self, tiny):
        # 3/4 ln(8/3) + 1/4 ln(8); 3/4 * 3 + 1/8 * 3 + 1/8 * 4
        assert tiny.entropy() == pytest.approx(1.2554823251787535, abs=1e-12)
        assert tiny.mean_length() == pytest.approx(3.125, abs=1e-12)
        assert tiny.num_sentences() == 4
        assert tiny.num_derivations() == 4
        assert (tiny.shortest, tiny.longest) == (3, 4)

    def test_prefix_shared_by_two_derivations(self):
        policy = GrammarPolicy(Grammar.parse(SHARED))
        scores = policy(policy.encode([["the", "dog"], ["the", "dog", "sleeps"]]))
        assert scores.log_prob.exp()[:, :3].tolist() == [
            pytest.approx([1, 5 / 16, 2 / 5]),
            pytest.approx([1, 5 / 16, 3 / 5]),
        ]
        assert policy.num_sentences() == policy.num_derivations() == 4

    def test_ambiguous_grammar_is_found_out(self):
        # "x y" has two derivations, and one probability: 1/2 * 1/2 + 1/2 * 1/4
        policy = GrammarPolicy(Grammar.parse("S -> A y | x B\nA -> x | z\nB -> y | 3 w"))
        assert policy.num_derivations() == 4
        assert policy.num_sentences() == 3
        assert policy.log_prob(policy.encode([["x", "y"]])).exp().item() == pytest.approx(3 / 8)

    def test_derive(self, tiny):
        rng = random.Random(0)
        drawn = [tiny.grammar.derive(rng) for _ in range(8_000)]
        counts = Counter(" ".join(words) for words, _ in drawn)
        assert counts.keys() == {"dogs run", "cats run", "a dog", "a dog sleeps"}
        for words, probability in drawn:
            assert probability == pytest.approx(3 / 8 if words[-1] == "run" else 1 / 8)
        assert counts["dogs run"] / 8_000 == pytest.approx(3 / 8, abs=4 * 0.0054)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "captions: holds no rule"),
            ("S -> a\n\nS -> b", "captions, line 3: S is defined a second time"),
            ("s -> a", "captions, line 1: 's' is no symbol"),
            ("| a", "captions, line 1: expected 'SYMBOL -> ...' or '| ...', got '| a'"),
            ("S -> a\nb c", "captions, line 2: expected"),
            ("S -> a | 0 b", "captions, line 1: the alternative '0 b' has weight 0"),
            ("S -> a NOUM\nNOUN -> b", r"S uses NOUM, which has no rule \(did you mean 'NOUN'\?\)"),
            ("S -> a T | b\nT -> S c", "S -> T -> S is recursive"),
            ("S -> a\nT -> b", "no sentence uses T"),
        ],
    )
    def test_errors(self, text, message):
        with pytest.raises(DataError, match=message.replace("|", r"\|")):
            Grammar.parse(text, "captions")

    def test_weights_are_shares(self):
        (rule,) = Grammar.parse("S -> 1.5 a | b c | 2.5").productions.values()
        assert [(way.probability, way.parts) for way in rule] == [
            (0.3, ("a",)), (0.2, ("b", "c")), (0.5, ()),
        ]  # fmt: skip

    def test_special_tokens_are_not_words(self):
        with pytest.raises(DataError, match="<unk>"):
            GrammarPolicy(Grammar.parse("S -> a <unk>"))

    def test_empty_sentence(self):
        policy = GrammarPolicy(Grammar.parse("S -> | 3 a"))
        log_probs = policy.log_prob(policy.encode([[], ["a"]]))
        assert log_probs.exp().tolist() == pytest.approx([0.25, 0.75])


class TestAutomaton:
    def test_is_minimal(self):
        # After either noun the same may follow, with the same probabilities.
        rules = "S -> A runs | B\nA -> dog | cat\nB -> 2 bird runs"
        assert len(Automaton(Grammar.parse(rules))) == 3

    def test_states_differ_by_probability_alone(self):
        rules = "S -> dog X | cat Y\nX -> runs | sleeps\nY -> runs | 2 sleeps"
        assert len(Automaton(Grammar.parse(rules))) == 4


class TestPolicy:
    """What the policy contract asks for, on the caption grammar."""

    def test_rows_are_distributions(self, captions):
        totals = captions._log_probs.double().exp().sum(-1)
        assert torch.allclose(totals, torch.ones_like(totals), atol=1e-6)

    def test_agrees_with_step_by_step(self, captions, samples):
        batch = samples.select(slice(0, 50))
        assert torch.equal(captions.logits(batch), Policy.logits(captions, batch))
        ours, plain = captions(batch), Policy.forward(captions, batch)
        assert torch.allclose(ours.log_prob, plain.log_prob, atol=1e-5)
        assert torch.allclose(ours.entropy, plain.entropy, atol=1e-5)

    def test_branch_continues_a_prefix(self, captions, samples):
        batch = samples.select(slice(0, 20))
        prefixes = captions.prefix_states(batch)
        rows, positions = torch.tensor([3, 3, 7, 0]), torch.tensor([0, 4, 2, 1])
        state = captions.branch(prefixes, rows, positions)
        logits, _ = captions.step(batch.tokens[rows, positions], state)
        assert torch.equal(logits, captions.logits(batch)[rows, positions + 1])

    def test_action_values(self, tiny):
        # The reward counts "sleeps", which follows "a dog" half the time.
        batch = tiny.encode([["a", "dog", "sleeps"], ["dogs", "run"]])
        sleeps = tiny.tokens.index("sleeps")
        values = action_values(
            tiny,
            batch,
            lambda sequences: (sequences.tokens == sleeps).sum(1).float(),
            4_000,
            rng=torch.Generator().manual_seed(0),
        )
        assert values[0].tolist() == pytest.approx([0.5, 0.5, 1, 1], abs=0.04)
        assert values[1].tolist() == [0, 0, 0, 0]

    def test_nothing_follows_the_end(self, captions):
        state = captions.initial_state(1)
        for token in (captions.bos_id, captions.tokens.index("a"), captions.eos_id):
            logits, state = captions.step(torch.tensor([token]), state)
        assert logits.softmax(-1)[0, captions.eos_id] == 1
        words = [captions.tokens.index(word) for word in "two dogs are sleeping".split()]
        twice = Sequences.from_lists([[*words, 2], [*words, 2, 2], [*words, 2, *words, 2]], 0)
        assert captions.parses(twice).tolist() == [True, False, False]

    def test_cut_and_empty_sequences_do_not_parse(self, captions):
        words = [captions.tokens.index(word) for word in "two dogs are sleeping".split()]
        cut = Sequences.from_lists([words, [*words, 2], [], [2]], 0)
        assert captions.parses(cut).tolist() == [False, True, False, False]
        assert captions(cut).log_prob[0].isfinite().all()
        nothing = Sequences.from_lists([[], []], 0)
        assert captions.parses(nothing).tolist() == [False, False]
        assert captions(nothing).log_prob.shape == (2, 0)

    def test_padding_does_not_count(self, captions, samples):
        batch = samples.select(slice(0, 100))
        other = Sequences(torch.where(batch.mask, batch.tokens, 7), batch.lengths)
        assert torch.equal(captions.log_prob(batch), captions.log_prob(other))

    def test_words_and_ids(self, captions):
        sentences = [["two", "dogs", "are", "sleeping"], ["a", "zeppelin"]]
        batch = captions.encode(sentences)
        assert batch.lengths.tolist() == [5, 3]
        assert batch.terminated.all()
        assert batch.tokens[1, 1] == captions.unk_id
        assert captions.decode(batch) == [sentences[0], ["a", "<unk>"]]

    def test_max_length(self):
        assert GrammarPolicy(max_length=30).max_length == 30
        with pytest.raises(ConfigError, match="max_length: 20 is below 21"):
            GrammarPolicy(max_length=20)

    def test_is_a_module_without_state(self, captions):
        assert not list(captions.parameters()) and not captions.state_dict()
        again = pickle.loads(pickle.dumps(captions)).double()
        assert again.initial_state(2).dtype == torch.int64
        assert again.step(torch.tensor([1]), again.initial_state(1))[0].dtype == torch.float64


class TestCaptions:
    def test_figures(self, captions):
        assert 200 <= len(captions.grammar.words) <= 280
        assert len(captions.automaton) <= 3_000
        assert 14 <= captions.entropy() <= 22
        assert (captions.shortest, captions.longest) == (5, 21)
        assert captions.max_length == 21
        assert 10 <= captions.mean_length() <= 15
        assert captions.num_sentences() > 500_000_000

    def test_is_unambiguous(self, captions):
        # Each sentence has a derivation; were any to have two, there would be more derivations.
        assert captions.num_derivations() == captions.num_sentences()

    def test_log_prob_is_that_of_the_derivation(self, captions, derivations):
        log_probs = captions.log_prob(captions.encode([words for words, _ in derivations]))
        expected = torch.tensor([math.log(p) for _, p in derivations], dtype=torch.float64)
        assert (log_probs - expected).abs().max() < 1e-6

    def test_entropy_and_length_of_derivations(self, captions, derivations):
        surprisal = torch.tensor([-math.log(p) for _, p in derivations])
        lengths = torch.tensor([len(words) + 1.0 for words, _ in derivations])
        root = len(derivations) ** 0.5
        assert abs(surprisal.mean() - captions.entropy()) < 4 * surprisal.std() / root
        assert abs(lengths.mean() - captions.mean_length()) < 4 * lengths.std() / root

    def test_samples_are_sentences(self, captions, samples):
        assert samples.terminated.all()
        assert captions.parses(samples).all()
        surprisal = -captions.log_prob(samples)
        assert (
            abs(surprisal.mean() - captions.entropy()) < 4 * surprisal.std() / len(samples) ** 0.5
        )
        # The chain rule: entropies of the next token add up to the sentence's on average.
        sums = captions(samples).entropy.sum(1)
        assert abs(sums.mean() - captions.entropy()) < 4 * sums.std() / len(samples) ** 0.5

    def test_word_frequencies(self, captions, samples, derivations):
        ours = Counter(itertools.chain.from_iterable(captions.decode(samples)))
        theirs = Counter(itertools.chain.from_iterable(words for words, _ in derivations))
        assert ours.keys() == theirs.keys() == set(captions.grammar.words)
        for word in captions.grammar.words:
            n = ours[word] + theirs[word]
            # Words that come twice in a caption vary more than Poisson counts, hence 6, not 4.
            assert abs(ours[word] - theirs[word]) < 6 * n**0.5 + 1, word

    def test_agreement(self, captions, samples):
        many = {"two", "three", "several"}
        for words in captions.decode(samples):
            for article, word in itertools.pairwise(words):
                if article in ("a", "an"):
                    assert (article == "an") == (word[0] in "aeiou"), words
            if words[0] in many or words[:2] in (["a", "group"], ["a", "herd"], ["a", "row"]):
                assert "are" in words and "is" not in words, words
            if "man" in words or "boy" in words:
                assert "her" not in words or "woman" in words, words
