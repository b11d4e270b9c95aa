"""A token that no training sequence holds is never emitted."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences, generate
from seqgan.config import LSTM, FileCorpus, GrammarCorpus
from seqgan.data.codec import IdCodec, WordCodec
from seqgan.data.dataset import TokenSpec
from seqgan.data.sources import load_data
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import EOS, UNK, Vocabulary
from seqgan.errors import ConfigError
from seqgan.hub import TextGenerator
from seqgan.models import load_generator, make_generator, save_model

WITHHELD = TokenSpec(7, 1, 2, 0, 8, (0, 1, 5), (3,))


def generator(spec=WITHHELD):
    return make_generator(LSTM(embedding=3, hidden=4), spec, 0).eval()


def data_of(tmp_path, lines, **changes):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines) + "\n")
    config = FileCorpus(tokenizer="spaces", split="contiguous", **changes)
    return load_data(str(path), config)


def test_unknown_is_impossible_where_no_sequence_holds_it(tmp_path):
    spec = data_of(tmp_path, [f"a b{i % 3}" for i in range(3)] * 9, min_count=1, test_share=0.0,
                   validation_share=0.0, heldout_share=0.0).spec  # fmt: skip
    assert (spec.forbidden, spec.withheld) == ((0, 1, UNK), ())


def test_unknown_is_withheld_where_only_others_hold_it(tmp_path):
    # Ten distinct lines: two to train on, whose words are all kept.
    spec = data_of(tmp_path, [f"a w{i}" for i in range(10)], min_count=1).spec
    assert (spec.forbidden, spec.withheld) == ((0, 1), (UNK,))


def test_unknown_is_emitted_where_training_sequences_hold_it(tmp_path):
    spec = data_of(tmp_path, [f"a w{i}" for i in range(40)], min_count=2).spec
    assert (spec.forbidden, spec.withheld) == ((0, 1), ())
    written = data_of(tmp_path, [f"a <unk> w{i % 12}" for i in range(40)], min_count=1).spec
    assert (written.forbidden, written.withheld) == ((0, 1), ())


def test_the_end_may_be_emitted_though_all_training_sequences_are_cut(tmp_path):
    lines = [f"a b c d w{i}" for i in range(40)]
    spec = data_of(tmp_path, lines, min_count=1, max_length=5, too_long="truncate").spec
    assert EOS not in (*spec.forbidden, *spec.withheld)


def test_the_grammar_never_emits_unknown():
    assert UNK in load_data("grammar", GrammarCorpus(num_train=10)).spec.forbidden


def test_withheld_tokens_are_scored_and_never_emitted():
    policy = generator()
    samples = generate(policy.emitting(), 2_000, rng=torch.Generator().manual_seed(0))
    seen = set(samples.tokens[samples.mask].tolist())
    assert seen == {2, 4, 6}
    # 4 4 3 EOS: every token has a probability, and all of a step sum to 1.
    given = Sequences(torch.tensor([[4, 4, 3, 2]]), torch.tensor([4]))
    probabilities = policy.logits(given).softmax(-1)[0]
    assert probabilities[:, 3].min() > 0 and probabilities[:, [0, 1, 5]].max() == 0
    expected = probabilities.gather(1, given.tokens[0][:, None])[:, 0].log()
    assert torch.allclose(policy(given).log_prob[0], expected, atol=1e-6)
    # What is sampled from is the same distribution without them.
    emitted = policy.emitting()
    step, _ = emitted.step(torch.tensor([1]), emitted.initial_state(1))
    rest = probabilities[0].clone()
    rest[3] = 0
    assert torch.allclose(step.softmax(-1)[0], rest / rest.sum(), atol=1e-6)


def test_withheld_tokens_are_saved_with_the_model(tmp_path):
    save_model(generator(), tmp_path / "g")
    policy = load_generator(tmp_path / "g").emitting()
    step, _ = policy.step(torch.tensor([1]), policy.initial_state(1))
    assert step[0].isneginf().tolist() == [True, True, False, True, False, True, False]


def test_unknown_can_be_switched_off():
    spec = WITHHELD._replace(forbidden=(0, 1), withheld=())
    policy = generator(spec)
    quiet = policy.withholding([UNK])
    rng = torch.Generator().manual_seed(0)
    assert (generate(policy, 500, rng=rng).tokens == UNK).any()
    assert not (generate(quiet, 500, rng=rng).tokens == UNK).any()
    assert quiet.head.weight is policy.head.weight  # the parameters are shared
    assert not generate(quiet.tempered(0.5), 500, rng=rng).tokens.eq(UNK).any()
    codec = WordCodec(Vocabulary.from_list(["a", "b", "c"]), make_tokenizer("spaces"), spec)
    model = TextGenerator(policy, codec, {})
    assert "<unk>" in " ".join(model.sample(200))
    assert "<unk>" not in " ".join(model.sample(200, allow_unk=False))


def test_bare_ids_have_no_unknown_token():
    with pytest.raises(ConfigError, match="--allow_unk: none of this model's tokens is <unk>"):
        TextGenerator(generator(), IdCodec(WITHHELD), {}).sample(1, allow_unk=False)
