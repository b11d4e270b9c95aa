"""Hostile input: files of every kind that the toolkit reads, broken in every way.

``python -m tests.seqgan.fuzz --inputs 100000`` counts what was read and what was refused, with
which error of ours; any other error ends it. While it runs, an audit hook looks at every file that
is opened for writing, renamed or made, and at every import: all must stay inside. Two seeds give
different inputs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

from rollout import generate
from seqgan import pipeline  # noqa: F401  (all imports are done before the hook looks)
from seqgan.config import LSTM, ReadingConfig, RunConfig
from seqgan.config.names import FORMATS
from seqgan.config.reading import read_settings, run_config
from seqgan.data.dataset import TokenSpec
from seqgan.data.text.one_line import one_line, read_line
from seqgan.data.text.readers import read_lines
from seqgan.data.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from seqgan.errors import SeqganError
from seqgan.models import load_generator, make_generator, save_model
from seqgan.runs.checkpoints import SUMS, checksum, verify
from seqgan.runs.saver import FORMAT, read_checkpoint
from seqgan.runs.state import pack

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 300), st.floats(), st.text(max_size=8),
    st.sampled_from(["../../x", "/etc/passwd", "os:system", "a\0b", "é" * 50, "!!python/name:os"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


class Guard:
    """Notes whatever is written outside a folder, and whatever is imported."""

    def __init__(self, folder: Path):
        self.folder, self.on, self.found = str(folder.resolve()), False, Counter[str]()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "import":
            if not arguments[0].startswith("encodings."):  # as "utf-8-sig" is looked up by name
                self.found[f"import {arguments[0]}"] += 1
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITES:
                self._written(path)
        elif event in ("os.rename", "os.mkdir", "os.remove", "os.truncate", "os.link"):
            self._written(arguments[0])
        elif event in ("os.system", "subprocess.Popen", "os.exec", "socket.connect"):
            self.found[event] += 1

    def _written(self, path: Any) -> None:
        if isinstance(path, int):
            return
        place = os.path.abspath(os.fsdecode(path))
        own = place.startswith(self.folder + os.sep) or f"{os.sep}.hypothesis" in place
        if not own and place != os.devnull:
            self.found[f"write {place}"] += 1


def edited(draw: Callable[..., Any], content: bytes) -> bytes:
    """Bytes with some of them changed, cut out or put in."""
    found = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        where = draw(st.integers(0, len(found)))
        kind = draw(st.integers(0, 3))
        if kind == 0 and where < len(found):
            found[where] ^= 1 << draw(st.integers(0, 7))
        elif kind == 1:
            del found[where : where + draw(st.integers(1, 40))]
        elif kind == 2:
            found[where:where] = draw(st.binary(max_size=12))
        else:
            found[where:where] = found[: draw(st.integers(0, 60))]
    return bytes(found)


def grafted(draw: Callable[..., Any], tree: Any) -> Any:
    """A tree of JSON with one of its nodes replaced, removed or doubled under another name."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(tree)))
        how = draw(st.integers(0, 9))
        rest = {k: v for k, v in tree.items() if k != key or how}
        if how == 1:
            return rest | {draw(st.text(max_size=6)): tree[key]}
        return rest | ({key: grafted(draw, tree[key])} if how else {})
    if isinstance(tree, list) and tree and draw(st.integers(0, 5)):
        i = draw(st.integers(0, len(tree) - 1))
        return [*tree[:i], grafted(draw, tree[i]), *tree[i + 1 :]]
    return draw(TREES)


TEXTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=120).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(TREES, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
)


LINES = st.lists(st.text(max_size=20), min_size=1, max_size=6)
NAMES = {
    "a.txt": {}, "a b\u00e9.jsonl": {"field": "text"}, "b.jsonl": {}, "a.csv": {"column": "text"},
    "b.csv": {"column_number": 2}, "a.txt.gz": {}, "a.csv.gz": {"column": "text"}, "a.json": {},
    "b.json": {"field": "text"}, "a.tsv": {"column": "text"}, "a.smi": {}, "a.fasta": {},
}  # fmt: skip
"""Files and the settings that they are read with."""
READINGS = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from([*FORMATS, "x"]), "field": st.just("text"),
        "column": st.sampled_from(["text", "3", ""]), "column_number": st.integers(-1, 3),
        "header": st.booleans(), "strip": st.booleans(), "padding": st.sampled_from(["", "0"]),
    },
)  # fmt: skip


def proper(lines: list[str], kind: str) -> bytes:
    """A file as it should be, or nearly: a line may hold what ends one."""
    if kind == "jsonl":
        text = "\n".join(json.dumps({"id": i, "text": line}) for i, line in enumerate(lines))
    elif kind == "json":
        text = json.dumps([line.split() if len(line) % 2 else {"text": line} for line in lines])
    elif kind.startswith("csv"):
        rows = (f'{i},"{line}"' if "," in line else f"{i},{line}" for i, line in enumerate(lines))
        text = "\n".join(["id,text", *rows])
    elif kind == "tsv":
        text = "\n".join(["id\ttext", *(f"{i}\t{line}" for i, line in enumerate(lines))])
    elif kind == "smi":
        text = "\n".join(["# of a test", "SMILES ID", *(f"CCO {line}" for line in lines)])
    elif kind == "fasta":
        text = "\n".join(f">{i}\n{line}" for i, line in enumerate(lines))
    else:
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


def reads(draw: Callable[..., Any], folder: Path) -> None:
    """A corpus file of any kind, read as what it is or as something else."""
    name = draw(st.sampled_from(sorted(NAMES)))
    kind = name.partition(".")[2]
    content = edited(draw, proper(draw(LINES), kind)) if draw(st.booleans()) else draw(TEXTS)
    if name.endswith(".gz") and draw(st.integers(0, 4)):
        content = gzip.compress(content)
        content = edited(draw, content) if draw(st.booleans()) else content
    (folder / name).write_bytes(content)
    how = NAMES[name] if draw(st.integers(0, 4)) else draw(READINGS)
    for record in read_lines(folder / name, ReadingConfig(**how), max_line=100, max_bytes=150):
        # lines of a FASTA file are joined, a JSON document is no line
        assert len(record.text) <= 100 or how.get("format", kind) in ("fasta", "json", "auto")
        assert "\0" not in record.text
        written = one_line(record.text)
        assert read_line(written) == record.text and "\n" not in written


def loads_vocabulary(draw: Callable[..., Any], folder: Path) -> None:
    """A vocabulary file."""
    place = folder / "vocabulary.json"
    Vocabulary([*SPECIAL_TOKENS, "a", "b"]).save(place)
    good = json.loads(place.read_text())
    if draw(st.booleans()):
        place.write_bytes(edited(draw, json.dumps(good).encode()))
    else:
        place.write_text(json.dumps(grafted(draw, good)), encoding="utf-8")
    vocabulary = Vocabulary.load(place)
    assert vocabulary.decode(vocabulary.encode(["a", "zzz"]))[:1] in (["a"], ["<unk>"])


def reads_settings(draw: Callable[..., Any], folder: Path) -> None:
    """A settings file."""
    from dataclasses import asdict

    place, good = folder / "settings.yaml", asdict(RunConfig())
    if draw(st.booleans()):
        place.write_bytes(edited(draw, yaml.safe_dump(good).encode()))
    else:
        text = json.dumps(grafted(draw, good))  # JSON is YAML, nearly
        place.write_text(text, encoding="utf-8")
    config = run_config(read_settings(place), str(place))
    assert config.pretrain.epochs >= 1 and isinstance(config.data, str)


def loads_checkpoint(draw: Callable[..., Any], folder: Path) -> None:
    """A checkpoint: damaged, or changed by someone who has made the checksums right again."""
    place = folder / "step-00000001"
    shutil.copytree(folder.parent / "good", place, dirs_exist_ok=True)
    file = place / draw(st.sampled_from(sorted(p.name for p in place.iterdir())))
    if file.suffix == ".json" and draw(st.booleans()):
        file.write_text(json.dumps(grafted(draw, json.loads(file.read_text()))))
    else:
        file.write_bytes(edited(draw, file.read_bytes()))
    if draw(st.integers(0, 3)):
        files = [p for p in sorted(place.iterdir()) if p.name != SUMS]
        (place / SUMS).write_text("".join(f"{checksum(p)}  {p.name}\n" for p in files))
    verify(place)
    read_checkpoint(place)
    generate(load_generator(place / "generator"), 2, rng=torch.Generator().manual_seed(0))


KINDS = {
    "readers": (reads, 0.5),
    "vocabulary": (loads_vocabulary, 0.35),
    "settings": (reads_settings, 0.05),
    "checkpoints": (loads_checkpoint, 0.1),
}


def good_checkpoint(folder: Path) -> None:
    """A small checkpoint to be broken."""
    folder.mkdir()
    spec = TokenSpec(6, 0, 1, 2, 4, (0, 2))
    save_model(make_generator(LSTM(embedding=2, hidden=3), spec, 0), folder / "generator")
    from safetensors.torch import save_file

    tensors, skeleton = pack({"optimizer": {0: {"step": torch.tensor(1.0)}}, "best": float("inf")})
    save_file(tensors, folder / "training.safetensors")
    state = {"format": FORMAT, "phase": "pretrain", "steps": 1, "models": ["generator"]}
    (folder / "state.json").write_text(json.dumps(state | {"parts": skeleton}))
    files = sorted(folder.iterdir())
    (folder / SUMS).write_text("".join(f"{checksum(p)}  {p.name}\n" for p in files))


PIECE = 1_000
"""Inputs that hypothesis makes in one go: it remembers them all, and becomes slow over many."""


def fuzz(inputs: int, folder: Path, seed: int = 0) -> tuple[Counter[str], Counter[str]]:
    """Counts of outcomes by kind, and of what was written outside or imported."""
    good_checkpoint(folder / "good")
    load_generator(folder / "good" / "generator")  # what it imports is imported now
    guard, counts = Guard(folder), Counter[str]()

    def attempts(name: str, check: Callable[..., None]) -> Callable[[Any], None]:
        def attempt(data: Any) -> None:
            work = folder / "work"
            work.mkdir(exist_ok=True)
            guard.on = True
            try:
                check(data.draw, work)
                counts[f"{name}: read"] += 1
            except SeqganError as error:
                counts[f"{name}: refused, {type(error).__name__}"] += 1
            finally:
                guard.on = False
                shutil.rmtree(work)

        return attempt

    for number, (name, (check, share)) in enumerate(KINDS.items()):
        left = max(1, round(inputs * share))
        for piece in range(-(-left // PIECE)):
            limits = settings(
                max_examples=min(PIECE, left - piece * PIECE), deadline=None, database=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
            )  # fmt: skip
            attempt = given(data=st.data())(attempts(name, check))
            with_seed((seed * len(KINDS) + number) * 10_000 + piece)(limits(attempt))()
    return counts, guard.found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts, outside = fuzz(options.inputs, Path(folder), options.seed)
    print(json.dumps(dict(sorted(counts.items())), indent=2))
    print(
        f"{sum(counts.values())} inputs in {time.monotonic() - began:.0f} s, seed {options.seed}; "
        f"written outside or imported: {sum(outside.values())} {dict(outside)}"
    )
    assert not outside


if __name__ == "__main__":
    main()
