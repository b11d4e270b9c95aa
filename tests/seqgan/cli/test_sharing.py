"""Models that are pushed and pulled, and the scripts of shell completion."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from seqgan import TextGenerator
from seqgan.cli.completion import script
from seqgan.cli.main import main
from seqgan.cli.table import COMMANDS
from seqgan.config.methods import method_names
from seqgan.config.sharing import SHELLS

from ..tiny import TINY, without_report


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert main(["pretrain", *TINY, "--output_dir", str(path)]) == 0
    return path


def said(capsys, *words) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def refused(capsys, *words) -> str:
    assert main([str(word) for word in words]) == 2
    return capsys.readouterr().err


def test_a_model_goes_to_a_folder_and_comes_back(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said(capsys, "push", run, "--to", "./model")
    assert (tmp_path / "model" / "README.md").is_file()
    said(capsys, "pull", "./model", "--to", "models/mine")
    ours = said(capsys, "sample", run, "--number", 3, "--model", "mle")
    assert said(capsys, "sample", "models/mine", "--number", 3) == ours
    assert "holds a model already; --overwrite true" in refused(
        capsys, "push", run, "--to", "./model"
    )
    said(capsys, "push", run, "--to", "./model", "--overwrite")
    assert "holds files that are no model" in refused(capsys, "push", run, "--to", str(run))
    assert "neither a repository" in refused(capsys, "push", run, "--to", "model")
    assert "no such folder, and no model" in refused(
        capsys, "pull", "./nothing", "--to", "models/other"
    )
    assert not (tmp_path / "models" / "other").exists()


def test_a_model_goes_to_the_hub(run, capsys, monkeypatch):
    pushed = []
    monkeypatch.setattr(
        TextGenerator,
        "push_to_hub",
        lambda self, to, private, delete_patterns: pushed.append(
            (self, to, private, delete_patterns)
        ),
    )
    said(capsys, "push", run, "--to", "somebody/captions", "--private")
    (model, to, private, stale) = pushed[0]
    assert "discriminator.*" in stale  # of a model that stood there
    assert (to, private) == ("somebody/captions", True) and model.facts["model"] == "mle"

    def offline(self, to, **_):
        raise OSError("cannot connect\nand more")

    monkeypatch.setattr(TextGenerator, "push_to_hub", offline)
    error = refused(capsys, "push", run, "--to", "somebody/captions")
    assert "cannot connect (hf auth login" in error and "more" not in error


def completed(*words: str) -> list[str]:
    """Proposals of bash for the last of some words."""
    line = " ".join(f"'{word}'" for word in words)
    code = (
        f"{script('bash')}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _seqgan\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    bash = ["bash", "--norc", "-c", code]
    return subprocess.run(bash, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_flags_and_values():
    assert completed("seqgan", "") == list(COMMANDS)
    assert completed("seqgan", "pu") == ["push", "pull"]
    assert "--corpus.tokenizer" in completed("seqgan", "run", "--corpus.t")
    assert "--algorithm.kl_target" in completed("seqgan", "run", "--algorithm.k")
    assert completed("seqgan", "run", "--method", "rat") == ["ratio"]
    assert set(completed("seqgan", "run", "--method", "")) == set(method_names())
    assert completed("seqgan", "watch", "--once", "") == ["true", "false"]
    assert completed("seqgan", "completion", "--shell", "f") == ["fish"]
    assert completed("seqgan", "run", "captions") == []  # a file's name is the shell's to find


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_is_syntax_of_its_shell(shell, tmp_path, capsys):
    text = said(capsys, "completion", shell)
    assert "--method" in text or "-l method" in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    file = tmp_path / "script"
    file.write_text(text)
    subprocess.run([shell, "-n", str(file)], check=True)
