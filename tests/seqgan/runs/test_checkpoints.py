"""Checkpoints on disk: whole or not there, checked when they are read, and nothing unpickled."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgan.errors import CheckpointError
from seqgan.runs.checkpoints import Checkpoints, verify
from seqgan.runs.files import write_bytes
from seqgan.runs.saver import FORMAT, read_checkpoint
from seqgan.runs.state import load_optimizer, pack, set_fields, unpack, weights_for

ROOT = Path(__file__).parents[3]


def write(folder: Path) -> None:
    (folder / "state.json").write_text('{"format": 2}')
    (folder / "training.safetensors").write_bytes(bytes(range(200)))


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def names(checkpoints: Checkpoints) -> list[str]:
    return [place.name for place in checkpoints.all()]


def test_the_last_and_the_named_are_kept(checkpoints):
    checkpoints.save(5, write, ("mle",), keep=2)
    for step in (6, 7, 100):
        checkpoints.save(step, write, keep=2)
    checkpoints.save(100, write, ("best",), keep=2)
    assert names(checkpoints) == ["step-00000100.1", "step-00000100", "step-00000005"]
    assert checkpoints.named("mle").name == "step-00000005"
    assert checkpoints.named("best") == checkpoints.named("latest") == checkpoints.all()[0]
    checkpoints.save(110, write, ("best",), keep=1)
    assert names(checkpoints) == ["step-00000110", "step-00000005"]


def test_system_tools_can_check_it(checkpoints):
    place = checkpoints.save(1, write)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=place, capture_output=True)
    assert done.returncode == 0


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(checkpoints):
    def fails(folder: Path) -> None:
        write(folder)
        raise OSError("no space")

    checkpoints.save(1, write)
    with pytest.raises(OSError, match="no space"):
        checkpoints.save(2, fails)
    assert names(checkpoints) == ["step-00000001"]
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == ["latest", "step-00000001"]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_flipped_bit_and_every_cut_is_noticed(data):
    with tempfile.TemporaryDirectory() as folder:
        place = Checkpoints(Path(folder) / "checkpoints").save(1, write)
        file = data.draw(st.sampled_from(sorted(place.iterdir())))
        content = bytearray(file.read_bytes())
        where = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[where] ^= 1 << data.draw(st.integers(0, 7))
        else:
            del content[where:]
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            verify(place)


@pytest.mark.parametrize("end", [b"", b"\x0b", b"\x1e", b"\r"])
def test_another_end_of_the_last_line_is_noticed(checkpoints, end):
    place = checkpoints.save(1, write)
    file = place / "SHA256SUMS"
    file.write_bytes(file.read_bytes()[:-1] + end)
    with pytest.raises(CheckpointError, match="damaged"):
        verify(place)


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        ("", "does not name state.json"),
        ("00  ../../secret\n", "names '../../secret'"),
        ("00  state.json\n", "state.json does not match its checksum"),
        ("00  gone.json\n", "gone.json is missing"),
        ("00  state.json", "is cut short"),
        ("\u00e9", "cannot be read"),
        ("00  a\0b\n", "cannot be read"),
    ],
)
def test_checksums_that_make_no_sense(checkpoints, sums, message):
    place = checkpoints.save(1, write)
    (place / "SHA256SUMS").write_text(sums, encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged") as caught:
        verify(place)
    assert message in str(caught.value)


def test_the_newest_whole_one_is_found_and_the_damaged_are_named(checkpoints):
    said: list[str] = []
    assert checkpoints.newest(said.append) is None
    for step in (1, 2, 3):
        checkpoints.save(step, write, keep=3)
    write_bytes(checkpoints.folder / "latest", b"step-00000002\n")
    assert checkpoints.newest(said.append).name == "step-00000002" and not said
    (checkpoints.folder / "step-00000002" / "state.json").write_text("{}")
    assert checkpoints.newest(said.append).name == "step-00000003"
    assert "step-00000002: damaged: state.json does not match its checksum" in said[0]
    for step in (1, 3):
        (checkpoints.folder / f"step-0000000{step}" / "training.safetensors").unlink()
    assert checkpoints.newest(said.append) is None and len(said) == 4


def test_going_back_removes_the_way_not_taken(checkpoints):
    for step in (1, 2, 3):
        checkpoints.save(step, write, ("best",) if step == 3 else (), keep=3)
    checkpoints.go_back_to(checkpoints.checked("step-00000002"))
    assert names(checkpoints) == ["step-00000002", "step-00000001"]
    assert checkpoints.named("latest").name == "step-00000002"
    with pytest.raises(CheckpointError, match="no checkpoint 'best' yet"):
        checkpoints.named("best")


@pytest.mark.parametrize("target", ["../..", "/etc", "step-1", "", "step-00000009", "\0"])
def test_a_pointer_leads_nowhere_else(checkpoints, target):
    checkpoints.save(1, write)
    (checkpoints.folder / "latest").write_text(target)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.named("latest")
    assert checkpoints.newest(lambda text: None).name == "step-00000001"


def test_trees_come_back_as_they_were():
    tree = {
        "optimizer": {0: {"step": torch.tensor(3.0), "moment": torch.arange(6.0).view(2, 3).t()}},
        "betas": (0.9, 0.999),
        "best": -math.inf,
        "third": 1 / 3,
        "flags": [True, None, "text", 2**60],
        "bits": torch.tensor([True, False]),
        "$odd": {"$tensor": 1},
    }
    tensors, skeleton = pack(tree)
    again = unpack(json.loads(json.dumps(skeleton, allow_nan=False)), tensors)
    assert again.keys() == tree.keys()
    for name in ("betas", "best", "third", "flags", "$odd"):
        assert again[name] == tree[name] and type(again[name]) is type(tree[name])
    moments = again["optimizer"][0]
    assert torch.equal(moments["moment"], tree["optimizer"][0]["moment"])
    assert moments["step"].shape == () and torch.equal(again["bits"], tree["bits"])
    assert math.isnan(unpack(*reversed(pack(math.nan))))
    with pytest.raises(TypeError, match="state/a/0: a set cannot be kept"):
        pack({"a": [{1, 2}]})


def test_states_of_something_else_are_refused():
    layer = torch.nn.Linear(2, 3)
    with pytest.raises(ValueError, match="weights of another model"):
        weights_for(layer, torch.nn.Linear(3, 2).state_dict())
    optimizer, other = (torch.optim.Adam(m.parameters()) for m in (layer, torch.nn.Linear(3, 2)))
    for parameter in other.param_groups[0]["params"]:
        parameter.grad = torch.ones_like(parameter)
    other.step()
    with pytest.raises(ValueError, match="shape of another parameter"):
        load_optimizer(optimizer, other.state_dict())

    class Counter:
        step = 0

    with pytest.raises(TypeError, match="'step' is a str, not a int"):
        set_fields(Counter(), ("step",), {"step": "1"})


STATE = f'{{"format": {FORMAT}, "models": %s, "parts": %s, "phase": "end"}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "written by another version"),
        ('{"format": 2}', "written by version 0.1, which still resumes from it"),
        ("[" * 100_000, "cannot be read"),
        ("no json", "cannot be read"),
        (STATE % ("[]", '{"$tensor": "x"}'), "cannot be read"),
        (STATE % ('["../../x"]', "{}"), "cannot be read"),
        (STATE % ("[]", "{}"), "unknown phase 'end'"),
    ],
)
def test_states_that_are_no_state(tmp_path, content, message):
    from safetensors.torch import save_file

    save_file({}, tmp_path / "training.safetensors")
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path)


ARRAYS_ALONE = {"benchmarks/forest.py"}
"""Reads pickles of others by a reader of its own that knows arrays and stand-ins alone."""


def test_nothing_is_pickled_or_unpickled():
    """Neither by name nor through torch, numpy, pandas or accelerate."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    calls = {("torch", "load"), ("torch", "save"), ("accelerator", "save_state")}
    calls |= {("accelerator", "load_state"), ("accelerator", "save"), ("pandas", "read_pickle")}
    found = []
    for package in ("rollout", "seqgan", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.relative_to(ROOT).as_posix() in ARRAYS_ALONE:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if _unpickles(node, forbidden, calls):
                    found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert not found


def _unpickles(node: ast.AST, forbidden: set[str], calls: set[tuple[str, str]]) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in forbidden for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in forbidden
    if isinstance(node, ast.keyword):
        return node.arg == "allow_pickle" and getattr(node.value, "value", True) is not False
    if isinstance(node, ast.Attribute):
        owner = getattr(node.value, "id", getattr(node.value, "attr", ""))
        return (owner, node.attr) in calls
    return False


def test_the_scan_for_pickles_can_fail():
    for text in (
        "import pickle", "from joblib import load", "torch.load(path)",
        "self.accelerator.save_state(path)", "np.load(path, allow_pickle=True)",
    ):  # fmt: skip
        nodes = ast.walk(ast.parse(text))
        calls = {("torch", "load"), ("accelerator", "save_state")}
        assert any(_unpickles(node, {"pickle", "joblib"}, calls) for node in nodes), text
    assert not any(_unpickles(n, {"pickle"}, set()) for n in ast.walk(ast.parse("np.load(path)")))
