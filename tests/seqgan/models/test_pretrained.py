"""Generators that begin as a pretrained model: its probabilities, its tokens, adapters alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.language_model import flags_of
from rollout import Policy, Sequences, generate
from rollout.modules import frozen_copy, own_copy
from seqgan.cli.main import main
from seqgan.config import FileCorpus
from seqgan.config.generators.pretrained import Pretrained
from seqgan.data.pretrained_files import place_of
from seqgan.data.sources import load_data
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import load_generator, make_generator, save_model

from ...small import known_to_models, tiny_language_model
from ..tiny import TINY_WORK, without_report

IDS = (-1, -1, -1, -1, 40, 7, 123, 260, 99)
SPEC = TokenSpec(9, 1, 2, 0, 6, (0, 1, 3), model_ids=IDS)
KINDS = pytest.mark.parametrize("kind", ["llama", "gpt2"])


def make(kind: str, rank: int = 0):
    settings = Pretrained(model=tiny_language_model(kind), lora_rank=rank)
    return make_generator(settings, SPEC, seed=0).eval()


def trained(policy, steps: int = 5):
    """The policy after some steps of maximum likelihood."""
    batch = Sequences.from_lists([[4, 5, 6, 2], [7, 8, 2]], 0)
    optimizer = torch.optim.Adam(policy.parameters(), 0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (-policy(batch).log_prob.sum()).backward()
        optimizer.step()
    return policy


@KINDS
@torch.no_grad()
def test_probabilities_are_the_models_among_the_tokens_of_the_data(kind):
    transformers = pytest.importorskip("transformers")
    whole = transformers.AutoModelForCausalLM.from_pretrained(tiny_language_model(kind))
    begin, end = whole.config.bos_token_id, whole.config.eos_token_id
    batch = Sequences.from_lists([[4, 8, 5, 2]], 0)
    logits = whole(input_ids=torch.tensor([[begin, 40, 99, 7]])).logits[0]
    kept = [end, *IDS[4:]]  # EOS and the five tokens
    wanted = logits[:, kept].log_softmax(-1)[range(4), [1, 5, 2, 0]]
    assert torch.allclose(make(kind)(batch).log_prob[0], wanted, atol=1e-4)


@KINDS
@pytest.mark.parametrize("rank", [0, 2])
def test_steps_equal_one_pass(kind, rank):
    policy = trained(make(kind, rank))
    batch = generate(policy, 12, rng=torch.Generator().manual_seed(0))
    fast, plain = policy(batch), Policy.forward(policy, batch)
    assert torch.allclose(fast.log_prob, plain.log_prob, atol=1e-4)
    rows, positions = torch.tensor([3, 0, 3]), torch.tensor([1, 0, 1])
    last = batch.tokens[rows, positions]
    ours, theirs = (
        policy.step(last, way.branch(policy, way.prefix_states(policy, batch), rows, positions))[0]
        for way in (type(policy), Policy)
    )
    assert torch.allclose(ours, theirs, atol=1e-4)


@KINDS
def test_adapters_alone_are_trained_copied_and_saved(kind, tmp_path):
    policy = make(kind, rank=2)
    names = {*policy.state_dict()}
    assert names and all("lora_" in name for name in names)
    assert {n for n, p in policy.named_parameters() if p.requires_grad} == names
    reference = frozen_copy(policy)
    batch = generate(policy, 9, rng=torch.Generator().manual_seed(0))
    before = policy(batch).log_prob.detach()
    trained(policy)
    assert not torch.allclose(policy(batch).log_prob, before, atol=1e-2)
    assert torch.equal(reference(batch).log_prob, before)
    ours, theirs = dict(policy.named_parameters()), dict(reference.named_parameters())
    for name, parameter in ours.items():
        assert (parameter is theirs[name]) == (name not in names)
    control = own_copy(reference).requires_grad_(True)
    assert {n for n, p in control.named_parameters() if p.requires_grad} == names
    save_model(policy, tmp_path / "generator")
    assert {*load_file(tmp_path / "generator.safetensors")} == names
    again = load_generator(tmp_path / "generator")
    assert torch.equal(again(batch).log_prob, policy(batch).log_prob)
    with pytest.raises(RuntimeError, match="adapters of another model"):
        policy.load_state_dict({})


@KINDS
def test_learned_rows_are_read_without_a_copy_of_the_table(kind, monkeypatch):
    settings = Pretrained(model=tiny_language_model(kind), lora_rank=2, dropout=0.0)
    policy = make_generator(settings, SPEC._replace(forbidden=(0, 1)), seed=0).eval()
    for part in (policy.embedding, policy.head):
        part.learned.learned.data.normal_(generator=torch.Generator().manual_seed(1))
    embedding, head = (part.learned(part.weight) for part in (policy.embedding, policy.head))
    monkeypatch.setattr(type(policy.head.learned), "forward", None)  # which copies it
    tokens, features = torch.tensor([[4, 3], [3, 2]]), torch.randn(2, head.shape[1])
    assert torch.equal(policy.embedding(tokens), embedding[tokens])
    weights = torch.randn(2, len(embedding)).softmax(-1)
    assert torch.allclose(policy.embedded(weights), weights @ embedding, atol=1e-6)
    wanted = (features @ head.T + policy.head.bias)[:, 2:]
    assert torch.allclose(policy.head(features)[:, 2:], wanted, atol=1e-5)
    assert len(generate(policy, 3)) == 3


@KINDS
def test_a_token_that_the_model_lacks_is_learned_beside_the_adapters(kind, tmp_path):
    """`<unk>` is not the end of a text, though the tokenizer has no token for it."""
    settings = Pretrained(model=tiny_language_model(kind), lora_rank=2, dropout=0.0)
    policy = make_generator(settings, SPEC._replace(forbidden=(0, 1)), seed=0).eval()
    own = {"embedding.learned.learned", "head.learned.learned"}
    names = {n for n, p in policy.named_parameters() if p.requires_grad}
    assert {n for n in names if "lora_" not in n} == own and {*policy.state_dict()} == names
    batch = Sequences.from_lists([[4, 3, 2]], 0)
    unknown, ends = batch.tokens == 3, batch.tokens == 2
    logits = policy.logits(batch).detach()
    assert (logits[..., 2] - logits[..., 3]).abs().max() > 0.1
    reference, before = frozen_copy(policy), policy(batch).log_prob.detach()
    optimizer = torch.optim.Adam(policy.parameters(), 0.05)
    for _ in range(80):
        optimizer.zero_grad()
        (-policy(batch).log_prob.sum()).backward()
        optimizer.step()
    probabilities = policy.logits(batch).detach().softmax(-1)
    (unknown,), (end,) = probabilities[unknown], probabilities[ends]
    assert unknown[3] > 5 * unknown[2] and end[2] > 5 * end[3]  # twins they would be equal
    assert torch.equal(reference(batch).log_prob, before)
    found = policy(batch).log_prob
    assert torch.allclose(found, Policy.forward(policy, batch).log_prob, atol=1e-4)
    assert torch.allclose(found, policy.tempered(1.0)(batch).log_prob, atol=1e-4)
    one_hot = torch.nn.functional.one_hot(batch.tokens, 9).float()
    assert torch.allclose(policy.embedded(one_hot), policy.embedding(batch.tokens), atol=1e-6)
    save_model(policy, tmp_path / "generator")
    assert torch.equal(load_generator(tmp_path / "generator")(batch).log_prob, found)


@pytest.mark.parametrize(
    ("settings", "spec", "message"),
    [
        ({"model": "/nowhere"}, SPEC, "no such folder or file; nothing is downloaded"),
        ({"model": "."}, SPEC, "holds no language model"),
        ({}, known_to_models(TokenSpec(900, 1, 2, 0, 6, ())), "up to 899; cut the data by its own"),
        ({}, SPEC._replace(model_ids=()), "have none of its token ids; cut the data by its own"),
        ({}, SPEC._replace(max_length=65), "it reads 64 tokens"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(settings, spec, message):
    given = {"model": tiny_language_model(), **settings}
    with pytest.raises(ConfigError, match=message):
        make_generator(Pretrained(**given), spec, seed=0)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Gemma3Text", {"head_dim": 4}),  # scales embeddings
        ("Cohere", {"logit_scale": 0.5}),
        ("Granite", {"logits_scaling": 8.0}),
        ("Gemma2", {"head_dim": 4, "final_logit_softcapping": 0.1}),
    ],
)
def test_models_that_scale_besides_are_refused(kind, more, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{kind}Config", None)
    if config is None:
        pytest.skip(f"this version of transformers has no {kind}")
    sizes = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, vocab_size=300)
    heads = dict(num_attention_heads=2, num_key_value_heads=1, bos_token_id=1, eos_token_id=2)
    made = config(**sizes, **heads, pad_token_id=0, max_position_embeddings=64, **more)
    whole = transformers.AutoModelForCausalLM.from_config(made)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.mul_(5)  # so that scales make a difference
    whole.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=f"type '{made.model_type}' scale their embeddings or"):
        make_generator(Pretrained(model=str(tmp_path)), SPEC, seed=0)


SIZES = dict(vocab_size=300, bos_token_id=1, eos_token_id=2, pad_token_id=0)
HEADS = dict(SIZES, hidden_size=8, num_hidden_layers=2, num_attention_heads=2)


def written(kind: str, folder: Path, **more) -> str:
    """A tiny model of that kind in a folder; skips where the library has none."""
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{kind}Config", None)
    if config is None:
        pytest.skip(f"this version of transformers has no {kind}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        whole = transformers.AutoModelForCausalLM.from_config(config(**more))
        with torch.no_grad():
            for parameter in whole.parameters():
                parameter.mul_(5)  # so that the place of a token makes a difference
    whole.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("Bloom", dict(SIZES, hidden_size=8, n_layer=1, n_head=2), "cannot be asked for single"),
        ("Mamba", dict(SIZES, hidden_size=8, num_hidden_layers=1, state_size=4), "keep a state"),
    ],
)
def test_models_that_take_no_single_steps_are_refused(kind, more, reason, tmp_path):
    model = written(kind, tmp_path, **more)
    with pytest.raises(ConfigError, match=f"'{kind.lower()}' {reason}.*such as gpt2 or llama"):
        make_generator(Pretrained(model=model), SPEC, seed=0)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("OPT", dict(HEADS, ffn_dim=16, max_position_embeddings=64, word_embed_proj_dim=8)),
        ("GPTNeoX", dict(HEADS, intermediate_size=16, max_position_embeddings=64)),
        ("Mistral", dict(HEADS, intermediate_size=16, num_key_value_heads=1, sliding_window=6)),
    ],
)
@torch.no_grad()
def test_steps_and_branches_of_other_kinds_equal_one_pass(kind, more, tmp_path):
    policy = make_generator(Pretrained(model=written(kind, tmp_path, **more)), SPEC, seed=0).eval()
    batch = generate(policy, 12, rng=torch.Generator().manual_seed(0))
    assert torch.allclose(policy(batch).log_prob, Policy.forward(policy, batch).log_prob, atol=1e-4)


def test_sequences_beyond_a_models_window_are_refused(tmp_path):
    """Steps look at all that came before, and one pass would not."""
    more = dict(HEADS, intermediate_size=16, num_key_value_heads=1, sliding_window=5)
    model = written("Mistral", tmp_path, **more)
    message = "attention goes back 5 tokens, and the longest sequence has 6; set --corpus.max_len"
    with pytest.raises(ConfigError, match=message):
        make_generator(Pretrained(model=model), SPEC, seed=0)


def test_code_that_lies_beside_a_model_is_never_run():
    _, options = place_of(tiny_language_model(), "--generator.model")
    assert options["trust_remote_code"] is False


@pytest.fixture
def broken(tmp_path):
    """The folder of a model that lacks some of its weights."""
    folder = shutil.copytree(tiny_language_model(), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in weights.items() if "layers.1.mlp" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_weights_that_are_missing_are_named(broken, capfd):
    message = r"lacks 3 weights of a LlamaForCausalLM.*: model.layers.1.mlp.down_proj.weight, .*;"
    with pytest.raises(ConfigError, match=message):
        make_generator(Pretrained(model=str(broken)), SPEC, seed=0)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"num_hidden_layers": "two"}))
    with pytest.raises(ConfigError, match="holds no language model: .*num_hidden_layers"):
        make_generator(Pretrained(model=str(broken)), SPEC, seed=0)
    (broken / "config.json").write_text(json.dumps(config | {"vocab_size": 77}))
    with pytest.raises(ConfigError, match="lacks 5 weights .* in another shape: lm_head.weight"):
        make_generator(Pretrained(model=str(broken)), SPEC, seed=0)
    (broken / "model.safetensors").write_bytes(b"nothing" * 50)
    with pytest.raises(ConfigError, match="holds no language model: .*header"):
        make_generator(Pretrained(model=str(broken)), SPEC, seed=0)


def test_nothing_is_written_where_weights_are_missing(broken, tmp_path, capsys):
    words = [*flags_of(broken), "--generator.architecture", "pretrained"]
    run = tmp_path / "run"
    command = ["run", *words, "--generator.model", str(broken), "--output_dir", str(run)]
    assert main(command) == 2
    assert "lacks 3 weights" in capsys.readouterr().err and not run.exists()


def test_an_error_that_no_file_is_the_cause_of_is_not_hidden(monkeypatch):
    transformers = pytest.importorskip("transformers")
    for error in (torch.OutOfMemoryError("too little"), AttributeError("a mistake")):

        def fails(*_, error=error, **__):
            raise error

        monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fails)
        with pytest.raises(type(error)):
            make("llama")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "grammar"], "reads text that the model's own tokenizer has cut; give --data"),
        (["--data", "{model}/text.txt"], "reads text that the model's own tokenizer has cut"),
        (
            ["--data", "{model}/text.txt", "--corpus.tokenizer", "{other}"],
            "is not the tokenizer of",
        ),
    ],
)
def test_data_that_another_tokenizer_cuts_are_refused(words, message, tmp_path, capsys):
    model, other = tiny_language_model(), tmp_path / "tokenizer.json"
    content = json.loads((Path(model) / "tokenizer.json").read_text())
    ids = content["model"]["vocab"]
    content["model"]["vocab"] = {token: len(ids) - 1 - i for token, i in ids.items()}
    other.write_text(json.dumps(content))
    words = [each.format(model=model, other=other) for each in words]
    chosen = ["--generator.architecture", "pretrained", "--generator.model", model]
    run = tmp_path / "run"
    assert main(["run", *words, *chosen, "--output_dir", str(run)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert message in error and not run.exists()
    if "is not the" in message:
        assert f"set --corpus.tokenizer {model}/tokenizer.json" in error


def test_a_tokenizer_without_a_tokenizer_json_is_compared_too(tmp_path):
    """GPT-2's first files are a vocabulary and merges, of which the library makes the tokenizer."""
    folder = shutil.copytree(tiny_language_model("gpt2"), tmp_path / "model")
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())["model"]
    pairs = [" ".join(each) if isinstance(each, list) else each for each in content["merges"]]
    (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
    (folder / "merges.txt").write_text("".join(f"{line}\n" for line in ["#version: 0.2", *pairs]))
    text, cut = str(folder / "text.txt"), shutil.move(file, tmp_path / "tokenizer.json")
    data = load_data(text, FileCorpus(tokenizer=str(cut)))
    generator = make_generator(Pretrained(model=str(folder)), data.spec, seed=0)
    generator.attach(data.codec)
    turned = {token: len(content["vocab"]) - 1 - i for token, i in content["vocab"].items()}
    (folder / "vocab.json").write_text(json.dumps(turned))
    with pytest.raises(ConfigError, match=r"write .*tokenizer.json with AutoTokenizer.from_pre"):
        generator.attach(data.codec)


@pytest.fixture
def files():
    """The folder of a model, with a text."""
    return Path(tiny_language_model())


def test_data_know_the_ids_of_the_models_tokenizer(files):
    corpus = FileCorpus(tokenizer=str(files / "tokenizer.json"))
    data = load_data(str(files / "text.txt"), corpus)
    theirs = json.loads((files / "tokenizer.json").read_text())["model"]["vocab"]
    words = data.codec.vocabulary.tokens
    assert data.spec.model_ids == tuple(theirs.get(word, -1) for word in words)
    assert data.spec.model_ids[4:] and min(data.spec.model_ids[4:]) >= 0
    assert TokenSpec.from_dict(json.loads(json.dumps(data.spec.to_dict()))) == data.spec


@pytest.mark.slow
def test_a_run_by_lora(files, tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    path = tmp_path / "run"
    words = [
        "run", "--data", str(files / "text.txt"), "--corpus.tokenizer",
        str(files / "tokenizer.json"), *TINY_WORK, "--generator.architecture", "pretrained",
        "--generator.model", tiny_language_model(), "--generator.lora_rank", "2",
        "--algorithm.rollouts", "0", "--output_dir", str(path),
    ]  # fmt: skip
    assert main(words) == 0
    place = path / "checkpoints" / (path / "checkpoints" / "latest").read_text().strip()
    for name in ("generator", "reference"):
        assert all("lora_" in key for key in load_file(place / f"{name}.safetensors"))
        assert os.path.getsize(place / f"{name}.safetensors") < 20_000
    capsys.readouterr()
    own = ["--tokenizer", str(files / "tokenizer.json")]
    assert main(["sample", "--run", str(path), "--number", "3", *own]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@KINDS
def test_likelihoods_of_a_device_that_is_not_read_are_the_same(monkeypatch, kind):
    """There the mask is ours, and elsewhere the library makes it."""
    policy = make(kind)
    batch = generate(policy, 4, rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one = policy(batch).log_prob
        monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
        assert torch.allclose(policy(batch).log_prob, one, atol=1e-5)
