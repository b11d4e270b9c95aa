"""A model's own tokenizer: out of its files, with all its tokens, kept with the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from seqgan.cli.main import main
from seqgan.config import FileCorpus
from seqgan.config.generators.pretrained import Pretrained
from seqgan.config.imports import dotted_names
from seqgan.data.codec import load_codec, save_codec
from seqgan.data.sources import load_data
from seqgan.data.text.tokenizers import make_tokenizer
from seqgan.errors import ConfigError, DataError, MissingExtraError
from seqgan.hub import TextGenerator
from seqgan.models import make_generator

from ...small import tiny_language_model

TEXTS = ["naïve 🙂", "tabs\tand  two blanks", "日本 <b>it's</b>", "zebra", "a"]


@pytest.fixture(scope="module")
def model() -> Path:
    return Path(tiny_language_model())


def read(model: Path, **settings):
    corpus = FileCorpus(tokenizer=str(model / "tokenizer.json"), **settings)
    return load_data(str(model / "text.txt"), corpus)


@pytest.fixture(scope="module")
def gguf(model, tmp_path_factory) -> Path:
    """The same model as llama.cpp keeps it, its tokenizer in the same file."""
    writer_of = pytest.importorskip("gguf")
    from safetensors.torch import load_file

    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = writer_of.GGUFWriter(str(file), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_block_count(2)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(4)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(300)
    content = json.loads((model / "tokenizer.json").read_text())["model"]
    tokens = sorted(content["vocab"], key=content["vocab"].get)
    tokens += [f"<extra{i}>" for i in range(300 - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 300)
    writer.add_token_merges([" ".join(each) if isinstance(each, list) else each
                             for each in content["merges"]])  # fmt: skip
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = writer_of.get_tensor_name_map(writer_of.MODEL_ARCH.LLAMA, 2)
    for name, tensor in load_file(model / "model.safetensors").items():
        place = names.get_name(name, try_suffixes=(".weight",))
        for part, heads in (("q_proj", 2), ("k_proj", 1)):
            if part in name:  # the two halves that a rotation mixes stand side by side there
                halves = tensor.view(heads, 2, -1, tensor.shape[1])
                tensor = halves.transpose(1, 2).reshape(tensor.shape).contiguous()
        writer.add_tensor(place, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_any_text_is_read_and_written_without_loss(model, tmp_path):
    data = read(model, whole_vocabulary=True)
    own = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    assert set(data.codec.vocabulary.tokens[4:]) == set(own) - {"<pad>", "<bos>", "<eos>", "<unk>"}
    save_codec(data.codec, tmp_path)
    for codec in (data.codec, load_codec(tmp_path, data.spec)):  # the second knows no path
        for text in TEXTS:
            assert codec.line(codec.vocabulary.decode(codec.encode(text))) == text
    plain = read(model)
    with pytest.raises(Exception, match="is not in the vocabulary"):
        plain.codec.encode("zebra")


def test_the_model_may_write_what_the_data_lack_and_nothing_else(model):
    whole, plain = read(model, whole_vocabulary=True), read(model)
    assert set(whole.spec.forbidden) == {0, 1, 3} and not whole.spec.withheld
    assert len(whole.codec.vocabulary) > 200 > len(plain.codec.vocabulary)
    policy = make_generator(Pretrained(model=str(model)), whole.spec, seed=0).eval()
    policy.attach(whole.codec)
    generator = TextGenerator(policy, whole.codec, {}, None, whole.conditions)
    lines = generator.sample(4, prefix="zebra", max_length=12)
    assert all(line.startswith("zebra") for line in lines)


def test_a_forbidden_word_is_written_nowhere(model):
    """Within a text it is another token than at its beginning: the blank belongs to it."""
    whole = read(model, whole_vocabulary=True).codec
    both = next(x for x in whole.vocabulary.tokens[4:] if f"Ġ{x}" in whole.vocabulary.tokens)
    data = read(model)  # it has cats within a text alone
    with pytest.raises(Exception, match="is not in the vocabulary"):
        data.codec.encode("cats")
    policy = make_generator(Pretrained(model=str(model)), data.spec, seed=0)
    generator = TextGenerator(policy, data.codec, {}, None, data.conditions)
    assert any("cats" in line for line in generator.sample(50))
    assert not any("cats" in line for line in generator.sample(50, forbid=["cats"]))
    other = TextGenerator(policy, whole, {}, None, data.conditions)
    assert other._forbidden(both) == {*whole.encode(both), *whole.encode(f" {both}")}
    assert len(other._forbidden(both)) == 2


def test_a_tokenizer_without_a_vocabulary_has_none_to_keep():
    with pytest.raises(ConfigError, match="whole_vocabulary: words has no vocabulary of its own"):
        FileCorpus(whole_vocabulary=True)


def test_a_gguf_file_brings_model_and_tokenizer(model, gguf):
    cut = make_tokenizer(str(gguf))
    assert cut.tokenize("red cats sing") == make_tokenizer(str(model / "tokenizer.json")).tokenize(
        "red cats sing"
    )
    data = load_data(str(model / "text.txt"), FileCorpus(tokenizer=str(gguf)))
    ours = make_generator(Pretrained(model=str(gguf)), data.spec, seed=0).eval()
    ours.attach(data.codec)
    theirs = make_generator(Pretrained(model=str(model)), data.spec, seed=0).eval()
    theirs.attach(data.codec)  # the same ids
    with torch.no_grad():
        batch = data.test.select(slice(0, 4))
        assert torch.allclose(ours(batch).log_prob, theirs(batch).log_prob, atol=1e-4)


def test_a_model_file_without_a_tokenizer_is_said(monkeypatch, tmp_path):
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("seqgan.data.text.tokenizers.tokenizer_of", lambda *_: None)
    with pytest.raises(DataError, match=r"tiny.gguf holds no tokenizer of the library tokenizers"):
        make_tokenizer(str(tmp_path / "tiny.gguf"))


def test_a_missing_package_is_named(model, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"transformers.*\[lm\]"):
        make_generator(Pretrained(model=str(model)), read(model).spec, seed=0)
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    with pytest.raises(MissingExtraError, match=r"--corpus.tokenizer .*\[lm\]"):
        make_tokenizer(str(tmp_path / "tiny.gguf"))


def test_a_tokenizer_file_is_no_import():
    assert dotted_names({"corpus": {"tokenizer": "tokenizer.json"}}) == []
    assert dotted_names({"corpus": {"tokenizer": "mine.Cutter"}}) == [
        ("corpus.tokenizer", "mine.Cutter")
    ]


def test_beams_are_no_way_to_train(model, capsys):
    words = ["--algorithm.rollouts", "2", "--beams", "3"]
    assert main(["run", "--data", str(model / "text.txt"), *words]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "--beams" in error and "seqgan sample" in error


def test_a_run_keeps_its_tokenizer(model, tmp_path, capsys, monkeypatch):
    """The model's folder may lose it: the run has its own."""
    from ..tiny import TINY_WORK, without_report

    without_report(monkeypatch)
    folder = shutil.copytree(model, tmp_path / "model")
    words = ["pretrain", "--data", str(folder / "text.txt"), *TINY_WORK[:4]]
    words += ["--corpus.tokenizer", str(folder / "tokenizer.json"), "--pretrain.epochs", "1"]
    words += ["--generator.architecture", "pretrained", "--generator.model", str(folder)]
    words += ["--evaluation.num_samples", "10", "--evaluation.resamples", "10"]
    assert main([*words, "--output_dir", str(tmp_path / "run")]) == 0
    (folder / "tokenizer.json").unlink()
    capsys.readouterr()
    assert main(["sample", "--run", str(tmp_path / "run"), "--number", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    TextGenerator.from_run(tmp_path / "run").save_pretrained(tmp_path / "hub")
    again = TextGenerator.from_pretrained(tmp_path / "hub", base_model=str(folder))
    assert again.sample(3) == lines
