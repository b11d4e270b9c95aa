"""Sampling as users ask for it: rules, searches, the best of several, figures beside the text."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch

from rollout import generate
from seqgan import TextGenerator, hub
from seqgan.cli.main import main
from seqgan.config import LSTM
from seqgan.config.decoding import Decoding
from seqgan.data.codec import WordCodec
from seqgan.data.prompts import Questions
from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.errors import ConfigError
from seqgan.models import make_generator
from seqgan.seeding import rng_for
from seqgan.training.decoding import _rescored, decode

from ...small import bilstm
from ..tiny import TINY, without_report

WORDS = ["a", "b", "c", "d"]
SPEC = TokenSpec(8, 1, 2, 0, 6, (0, 1))
UNK = 3


def model(discriminator: bool = False) -> TextGenerator:
    policy = make_generator(LSTM("lstm", 6, 8), SPEC, seed=0)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3)
    codec = WordCodec(Vocabulary.from_list(WORDS), make_tokenizer("spaces"), SPEC)
    torch.manual_seed(0)
    return TextGenerator(policy, codec, {}, bilstm(8, 5, 5).eval() if discriminator else None)


def test_figures_stand_beside_the_text():
    ours = model(discriminator=True)
    found = ours.samples(20, prefix="a b", top_k=3, seed=4)
    assert [each.text for each in found] == ours.sample(20, prefix="a b", top_k=3, seed=4)
    sequences = decode(ours.policy, Decoding(top_k=3, seed=4), Questions([4, 5]), 20)
    log_prob = ours.policy(sequences).log_prob[:, 2:].sum(1)  # of the whole model, untouched
    odds = ours.discriminator(sequences)
    for row, each in enumerate(found):
        assert each.log_prob == pytest.approx(log_prob[row].item(), abs=1e-5)
        assert each.tokens == sequences.lengths[row].item() - 2
        assert each.log_odds == pytest.approx(odds[row].item(), abs=1e-5)
    assert model().samples(1)[0].log_odds is None


def test_without_settings_samples_are_what_they_always_were():
    ours = model()
    drawn = generate(ours.policy, 10, rng=rng_for(0, "sample"))
    assert ours.sample() == ours.codec.texts(drawn)


def test_greedy_and_beams_find_the_likely_ones():
    ours = model()
    greedy, one = ours.samples(3, greedy=True), ours.samples(beams=1)
    assert len(greedy) == 3 and len({each.text for each in greedy}) == 1
    assert one[0].text == greedy[0].text
    found = ours.samples(5, beams=2_000)  # all prefixes: the search is exact
    log_probs = [each.log_prob for each in found]
    assert log_probs == sorted(log_probs, reverse=True) and len({x.text for x in found}) == 5
    assert found[0].log_prob >= greedy[0].log_prob
    many = ours.samples(3_000, seed=1)
    assert max(each.log_prob for each in many) <= found[0].log_prob + 1e-5


def test_rules_hold():
    ours = model()
    quiet = " ".join(ours.sample(200, forbid=["b", "c", "d"], allow_unk=False)).split()
    assert set(quiet) == {"a"}
    lengths = [len(line.split()) for line in ours.sample(200, min_length=3, max_length=4)]
    assert set(lengths) == {3, 4}
    apart = ours.sample(200, repetition_penalty=1e6, forbid=[])
    plain = ours.sample(200)
    repeats = [sum(len(x.split()) - len(set(x.split())) for x in y) for y in (apart, plain)]
    assert repeats[0] < repeats[1]


def test_every_sequence_once():
    ours = model()
    found = ours.sample(60, unique=True)
    assert len(found) == len(set(found)) == 60
    assert found[:1] == ours.sample(1)
    with pytest.raises(ConfigError, match=r"--unique: 3 different sequences .* ask for fewer"):
        ours.sample(4, unique=True, max_length=1, forbid=["a"], top_k=3)


def test_the_best_of_several():
    ours = model(discriminator=True)
    every = ours.samples(40, seed=2)
    best = ours.samples(10, best_of=4, seed=2)
    for i, each in enumerate(best):
        group = every[4 * i : 4 * i + 4]
        assert each.text == max(group, key=lambda x: x.log_prob / x.tokens).text
    by_odds = ours.samples(10, best_of=4, best_by="discriminator", seed=2)
    for i, each in enumerate(by_odds):
        assert each.text == max(every[4 * i : 4 * i + 4], key=lambda x: x.log_odds).text


def only_d(completions):
    return [None if not each else each.split().count("d") / 2 for each in completions]


def test_rewards_stand_beside_the_samples():
    ours = model()
    mine = f"{__name__}:only_d"
    assert ours.samples(1)[0].rewards is None
    asked = {"seed": 2, "rewards": ["length:2", mine]}
    every = ours.samples(40, **asked)
    for each in every:
        words = each.text.split()
        spread = {"only_d": words.count("d") / 2} if words else {}
        assert each.rewards == {"length": len(words)} | spread
    best = ours.samples(10, best_of=4, best_by="reward", **asked)
    for i, each in enumerate(best):
        wanted = max(every[4 * i : 4 * i + 4], key=lambda x: 2 * x.rewards["length"]
                     + x.rewards.get("only_d", 0.0))  # fmt: skip
        assert each.text == wanted.text
    with pytest.raises(ConfigError, match="--rewards: novelty needs data .* give length, repet"):
        ours.samples(1, rewards=["novelty"])


def test_the_rewards_are_made_once_and_only_if_they_are_read(monkeypatch):
    made, plain = [], hub.RewardsBeside
    monkeypatch.setattr(hub, "RewardsBeside", lambda *given: made.append(1) or plain(*given))
    ours, asked = model(), {"best_of": 2, "rewards": ["length"]}
    assert ours.samples(2, best_by="reward", **asked) and len(made) == 1
    assert ours.sample(2, best_by="reward", **asked) and len(made) == 2
    assert ours.sample(2, best_by="likelihood", **asked) and len(made) == 2


def test_a_runs_own_rewards_stand_beside_its_samples():
    """But for those that would import, or that need data."""
    plain = model()
    terms = [{"name": "length", "weight": 0.5}, "antigravity:fly", "novelty", "discriminator"]
    ours = TextGenerator(plain.policy, plain.codec, {}, settings={"rewards": terms})
    assert all(x.rewards == {"length": len(x.text.split())} for x in ours.samples(9))
    longest = ours.samples(1, best_of=50, best_by="reward")[0]
    assert longest.rewards["length"] == max(x.rewards["length"] for x in ours.samples(50))
    (found,) = ours.samples(1, rewards=[{"name": "regex", "pattern": "."}])
    assert found.rewards == {"regex": float(bool(found.text))}


def test_rescoring_draws_one_of_each_group_by_its_weight():
    ours = model(discriminator=True)
    every = ours.samples(40, seed=2)
    for beta in (0.0, 1e6):
        found = ours.samples(10, rescore=4, rescore_beta=beta, seed=2)
        groups = [every[4 * i : 4 * i + 4] for i in range(10)]
        assert all(
            each.text in [x.text for x in mine] for each, mine in zip(found, groups, strict=True)
        )
        best = [max(mine, key=lambda x: x.log_odds).text for mine in groups]
        same = sum(each.text == text for each, text in zip(found, best, strict=True))
        assert same == 10 if beta else same < 10
    texts = ours.sample(10, rescore=4, rescore_beta=1e6, seed=2)
    assert texts == [each.text for each in found]


def test_rescored_frequencies_are_those_of_the_reweighted_samples():
    log_odds = torch.tensor([0.0, 1.0, 2.0]).repeat(20_000)
    rows = _rescored(log_odds, Decoding(rescore=3, rescore_beta=0.5), 0)
    assert torch.equal(rows // 3, torch.arange(20_000))
    shares = (rows % 3).bincount(minlength=3) / 20_000
    wanted = torch.tensor([0.0, 0.5, 1.0]).softmax(0)
    assert (shares - wanted).abs().max() < 0.015


def test_each_question_has_its_own_sequences():
    ours = model()
    questions = Questions([4], {"nothing": torch.zeros(3)})
    prompt = questions.draw(6, torch.Generator())
    assert prompt.condition["nothing"].shape == (6,) and prompt.prefix.tokens.tolist() == [[4]] * 6
    assert len(decode(ours.policy, Decoding(unique=True), Questions(), 5)) == 5


WRONG = [
    ({"beams": 4, "top_k": 3}, "--beams: beam search draws nothing; leave out --top_k"),
    ({"beams": 4, "greedy": True}, "leave out --greedy"),
    ({"greedy": True, "temperature": 0.5}, "--greedy: .* leave out --temperature"),
    ({"greedy": True, "unique": True, "number": 5}, "--greedy: .* leave out --unique"),
    ({"best_of": 2, "best_by": "reward"}, "--best_by: reward: this model has none .* --rewards"),
    ({"rewards": ["lenth"]}, "did you mean 'length'"),
    ({"beams": 2, "number": 3}, "--number: 2 --beams find 2 sequences, not 3"),
    ({"min_p": 2.0}, r"--min_p: 2.0 is not in \(0, 1\]"),
    ({"min_length": 3, "max_length": 2}, "--min_length: 3 is above --max_length 2"),
    ({"max_length": 7}, "--max_length: 7 is above the model's longest sequence, 6"),
    ({"min_length": 7}, "--min_length: 7 is above the model's longest sequence, 6"),
    ({"prefix": "a b", "max_length": 2}, "--prefix: 2 tokens leave nothing to generate"),
    ({"forbid": ["e"]}, "--forbid: 'e' is not in the vocabulary"),
    ({"forbid": ["b", "c d"]}, r"--forbid: 'c d' is 2 tokens \('c', 'd'\); what is forbidden is"),
    ({"forbid": [" "]}, "--forbid: ' ' is 0 tokens; what is forbidden is one token"),
    ({"forbid": WORDS, "allow_unk": False}, "--forbid: no word is left"),
    ({"best_of": 2, "best_by": "discriminator"}, "--best_by: discriminator: this model has none"),
    ({"rescore": 2}, "--rescore: this model has none"),
    ({"rescore": 2, "best_of": 2}, "--best_of and --rescore are two ways to choose"),
    ({"beams": 2, "rescore": 2}, "leave out --rescore"),
    ({"best_by": "liklihood"}, "did you mean 'likelihood'"),
    ({"temprature": 2.0}, "did you mean 'temperature'"),
]


def test_the_docstring_names_every_setting():
    told = (TextGenerator.sample.__doc__ or "").split("those of ``seqgan sample``:")[1]
    named = told.split(".\n")[0].replace(",", " ").split()
    assert sorted(["number", *named]) == sorted(each.name for each in fields(Decoding))


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=[m for _, m in WRONG])
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        model().sample(**settings)


def test_the_command_writes_json_lines(tmp_path, capsys, monkeypatch):
    without_report(monkeypatch)
    run = tmp_path / "run"
    assert (
        main(["run", *TINY, "--adversarial.early_stopping", "false", "--output_dir", str(run)]) == 0
    )
    out = tmp_path / "samples.jsonl"
    asked = ["sample", str(run), "--number", "4", "--best_of", "2", "--best_by", "discriminator"]
    assert main([*asked, "--output", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [sorted(line) for line in lines] == [["log_odds", "log_prob", "text", "tokens"]] * 4
    capsys.readouterr()
    assert main(asked) == 0
    assert capsys.readouterr().out.splitlines() == [line["text"] for line in lines]
    ours = TextGenerator.from_run(run)
    ours.save_pretrained(tmp_path / "model")
    again = TextGenerator.from_pretrained(tmp_path / "model")
    assert again.samples(4, beams=4) == ours.samples(4, beams=4)
    assert [x.text for x in again.samples(4, best_of=2, best_by="discriminator")] == [
        line["text"] for line in lines
    ]
    assert main(["sample", str(run), "--beams", "3", "--number", "3", "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
