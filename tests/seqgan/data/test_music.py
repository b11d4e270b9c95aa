"""Music: ABC and MIDI in, tokens, MIDI and piano rolls out, splits by piece, keys."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.sound import installed, sound_of
from seqgan.config import MusicCorpus
from seqgan.data.codec import load_codec, save_codec
from seqgan.data.music.abc import read_abc, split_abc
from seqgan.data.music.keys import KEYS, key_of, pitch_classes
from seqgan.data.music.midi import read_midi, write_midi
from seqgan.data.music.tunes import Note, Tune, bar_steps, events, tune_of, windows
from seqgan.data.sources import load_data
from seqgan.errors import CheckpointError, ConfigError, DataError

HEAD = "X:1\nT:Test\nM:4/4\nL:1/4\nK:C\n"


def notes(text: str, head: str = HEAD, steps: int = 12) -> list[tuple[int, int, int]]:
    return [tuple(note) for note in read_abc(head + text, steps).notes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C D,E c'", [(0, 60, 12), (12, 50, 12), (24, 64, 12), (36, 84, 12)]),
        ("C2 D/ E/2 F3/2|", [(0, 60, 24), (24, 62, 6), (30, 64, 6), (36, 65, 18)]),
        ("C>D E<F", [(0, 60, 18), (18, 62, 6), (24, 64, 6), (30, 65, 18)]),
        ("C>>D z2", [(0, 60, 21), (21, 62, 3)]),
        ("(3CDE F2", [(0, 60, 8), (8, 62, 8), (16, 64, 8), (24, 65, 24)]),
        ("C2- C2 | D4", [(0, 60, 48), (48, 62, 48)]),
        ("D4-|D4", [(0, 62, 96)]),  # tied across the bar line
        ("^F4-|F2 F2", [(0, 66, 72), (72, 65, 24)]),  # with its accidental, which ends there
        ("^F4|F4", [(0, 66, 48), (48, 65, 48)]),
        ("[CEG]2 z C", [(0, 60, 24), (0, 64, 24), (0, 67, 24), (36, 60, 12)]),
        ("^C C =C _B | C4", [(0, 61, 12), (12, 61, 12), (24, 60, 12), (36, 70, 12), (48, 60, 48)]),
        # A bracket after a bar line begins a chord or a field, and a second ending before a digit.
        ("C4|[CEG]2 z2", [(0, 60, 48), (48, 60, 24), (48, 64, 24), (48, 67, 24)]),
        ("C4|[M:3/4]C3|D3", [(0, 60, 48), (48, 60, 36), (84, 62, 36)]),
        ("F4|[K:G]F4", [(0, 65, 48), (48, 66, 48)]),
        ("C4|[1 D4:|[2 E4|]", [(0, 60, 48), (48, 62, 48), (96, 64, 48)]),
        ("[|C4|[CE]4|]", [(0, 60, 48), (48, 60, 48), (48, 64, 48)]),
        ("C4\n\nA tune from Galway.\n", [(0, 60, 48)]),  # an empty line ends a tune
        ("V:1\nC4|[V:1]D4", [(0, 60, 48), (48, 62, 48)]),
        ('"Am"{g}C !trill!.D (E F) |]', [(0, 60, 12), (12, 62, 12), (24, 64, 12), (36, 65, 12)]),
    ],
)
def test_abc_by_hand(text, expected):
    assert notes(text) == expected


@pytest.mark.parametrize(
    ("key", "pitches"),
    [
        ("D", [66, 61]), ("Gm", [65, 60]), ("Bb", [65, 60]), ("Ddor", [65, 60]),
        ("A mix", [66, 61]), ("E phrygian", [65, 60]), ("F#m", [66, 61]), ("none", [65, 60]),
        ("D middle=d", [66, 61]), ("C clef=bass middle=d", [65, 60]), ("Cm middle=d", [65, 60]),
        ("D =c", [66, 60]), ("C exp ^f", [66, 60]), ("^f", [66, 60]), ("HP", [66, 61]),
        ("Hp", [66, 61]), ("", [65, 60]), ("D major clef=treble", [66, 61]),
    ],
)  # fmt: skip
def test_keys_and_modes_of_abc(key, pitches):
    found = notes("F C z2", HEAD.replace("K:C", f"K:{key}"))
    assert [pitch for _, pitch, _ in found] == pitches


@pytest.mark.parametrize(
    ("field", "pitches"),
    [
        ("K:D octave=-1", [54, 49]), ("K:C octave=+2", [89, 84]), ("K:C transpose=-2", [63, 58]),
        ("K:C transpose=3 octave=1", [80, 75]), ("K:G clef=treble-8", [54, 48]),
        ("K:C treble+8", [77, 72]), ("K:octave=1", [77, 72]), ("V:1 bass octave=1\nK:C", [77, 72]),
        ("K:C clef=treble-8\nK:C clef=treble", [65, 60]),  # the later clef holds
        ("K:C octave=1\nK:G", [78, 72]),  # a change of key leaves the octave
    ],
)  # fmt: skip
def test_octaves_and_transpositions_of_abc(field, pitches):
    found = notes("F C z2", HEAD.replace("K:C", field))
    assert [pitch for _, pitch, _ in found] == pitches


def test_an_upbeat_has_a_bar_and_two_halves_are_one():
    tune = read_abc(HEAD + "G | C4 | D3 :| E | F4 | G5 |", 12)
    # The upbeat stands at the end of its bar; D3 and E make one; five quarters take two bars.
    assert tune.pickup and tune.meters == ("4/4",) * 6
    assert [(n.start, n.length) for n in tune.notes] == [
        (36, 12), (48, 48), (96, 36), (132, 12), (144, 48), (192, 60),
    ]  # fmt: skip
    assert [len(bar) for bar in tune.bars()] == [1, 1, 2, 1, 1, 0]


def test_notes_without_a_length_of_their_own_have_the_standards():
    assert notes("C", "X:1\nM:6/8\nK:C\n") == [(0, 60, 6)]
    assert notes("C", "X:1\nM:2/4\nK:C\n") == [(0, 60, 3)]
    assert notes("CD[L:1/2]E", "X:1\nM:C|\nL:1/8\nK:C\n")[2] == (12, 64, 24)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "z4 |", "no notes"),
        (HEAD + "V:1\nC4\nV:2\nC4", "several voices"),
        (HEAD + "V:1\nC4\n[V:2]C4", "several voices"),
        (HEAD + "C4 & E4 | D4", "several voices"),
        (HEAD + "C4 §", "not ABC"),
        (HEAD + "[CE", "without an end"),
        (HEAD.replace("M:4/4", "M:none") + "C4", "time signature"),
        (HEAD.replace("L:1/4", "L:short") + "C4", "note length"),
        (HEAD.replace("K:C", "K:C octave=low") + "C4", "'octave=low', which is no whole number"),
    ],
)
def test_what_abc_is_refused(text, reason):
    with pytest.raises(DataError, match=reason):
        read_abc(text, 12)


def test_tokens_by_hand():
    tune = Tune(
        ("6/8", "3/4"), (Note(30, 74, 6), Note(36, 60, 12), Note(36, 64, 24), Note(66, 59, 6)), 12
    )
    written = "6/8 | @30 D5 :6 3/4 | C4 :12 @0 E4 :24 @30 B3 :6"
    assert " ".join(events(tune)) == written
    assert tune_of(written.split(), 12) == tune
    assert " ".join(events(tune, range(1, 2))) == "3/4 | C4 :12 @0 E4 :24 @30 B3 :6"


def test_a_note_held_over_a_bar_line_needs_no_place_for_the_next():
    tune = Tune(("2/4", "2/4"), (Note(12, 60, 24), Note(36, 62, 12)), 12)
    assert " ".join(events(tune)) == "2/4 | @12 C4 :24 | D4 :12"
    assert tune_of(events(tune), 12) == tune


@given(st.lists(st.sampled_from(
    ["|", "6/8", "4/4", "3/7", "C4", "A#5", "G9", ":6", ":0", "@3", "@90", "H4", "<unk>", ""]
), max_size=40))  # fmt: skip
def test_any_tokens_are_a_tune_that_is_written_and_read_as_itself(tokens):
    tune = tune_of(tokens, 12)
    assert tune_of(events(tune), 12) == tune
    assert all(0 <= note.pitch < 128 and note.length > 0 for note in tune.notes)
    assert bar_steps("3/7", 12) == 0


@pytest.mark.parametrize(
    ("bars", "pickup", "expected"),
    [
        (16, False, [(0, 16)]), (17, True, [(0, 17)]), (17, False, [(0, 16)]), (5, False, [(0, 5)]),
        (24, False, [(0, 16), (16, 24)]), (23, False, [(0, 16)]), (40, True, [(0, 17), (17, 33)]),
    ],
)  # fmt: skip
def test_windows(bars, pickup, expected):
    found = windows(Tune(("4/4",) * bars, (), 12, pickup), 16)
    assert [(each.start, each.stop) for each in found] == expected


def test_keys():
    major = [Note(0, pitch, 6) for pitch in (62, 64, 66, 67, 69, 71, 73, 74)]
    assert KEYS[key_of(pitch_classes(major))] == "D major"
    scale = [(57, 30), (59, 6), (60, 12), (62, 12), (64, 24), (65, 6), (68, 6), (69, 30)]
    assert KEYS[key_of(pitch_classes([Note(0, *each) for each in scale]))] == "A minor"
    assert pitch_classes([Note(0, 60, 3), Note(9, 72, 4)]).tolist() == [7.0] + [0.0] * 11
    assert key_of(np.zeros(12)) == 0


def test_midi_is_read_as_it_was_written():
    pytest.importorskip("symusic", reason="needs the extra music")
    first = Tune(("6/8", "3/4"), (Note(30, 74, 6), Note(36, 60, 12), Note(36, 64, 24)), 12)
    assert read_midi(write_midi([first]), 12) == first
    assert read_midi(write_midi([first]), 24).notes[0] == Note(60, 74, 12)
    both = read_midi(write_midi([first, first]), 12)
    pause = 72 + 4 * 12
    assert both.notes[3:] == tuple(n._replace(start=n.start + pause) for n in first.notes)
    with pytest.raises(DataError, match="no notes"):
        read_midi(write_midi([]), 12)
    with pytest.raises(DataError, match="no MIDI file"):
        read_midi(b"MThd, and then nothing", 12)
    content = write_midi([first])
    assert content[12:14] == (12).to_bytes(2, "big")  # ticks per quarter note
    with pytest.raises(DataError, match="no MIDI file"):
        read_midi(content[:12] + bytes(2) + content[14:], 12)


SCALES = {"C": "CDEFGABc", "G": "GABcdefg", "Am": "ABcdefga"}


def abc_file(folder, number=60, name="tunes.abc"):
    """Tunes of four bars in three keys; the first two bars tell which."""
    found = []
    for i in range(number):
        key = list(SCALES)[i % 3]
        scale = SCALES[key]
        digits = [scale[(i // 7**k) % 7] for k in range(4)]
        tonic = scale[0]
        found.append(
            f"X:{i}\nT:t\nM:4/4\nL:1/4\nK:{key}\n"
            f"{tonic}4 | {scale[2]}2{scale[4]}2 | {''.join(digits)} | {tonic}4 |]\n"
        )
    place = folder / name
    place.write_text("\n".join(found))
    return str(place)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    pytest.importorskip("symusic", reason="needs the extra music")
    source = abc_file(tmp_path_factory.mktemp("music"))
    return load_data(source, MusicCorpus(bars=2, label=True, test_share=0.2), seed=1)


def test_sequences_of_a_piece_are_in_one_split(data):
    # Each of 60 pieces has two halves; the second halves are all distinct.
    assert data.report["pieces"] == {"train": 60}
    texts = {name: set(data.codec.texts(getattr(data, name))) for name in ("train", "test")}
    assert sum(len(getattr(data, x)) for x in ("train", "validation", "heldout", "test")) == 120
    assert len(data.test) == 24
    second = {name: {x for x in each if " :12 " in x} for name, each in texts.items()}
    assert len(second["test"]) == 12 and not second["test"] & second["train"]


def test_keys_are_labels(data):
    assert set(data.conditions.labels) <= set(KEYS)
    label = data.conditions.labels.index("C major")
    train = data.train.select(data.train.condition["label"] == label)
    assert {"C4", "E4", "G4"} <= {token for row in data.codec.tokens(train) for token in row}


def test_silence_has_no_key(tmp_path):
    pytest.importorskip("symusic", reason="needs the extra music")
    place = abc_file(tmp_path)  # a piece of two silent bars and two of notes, one in each window
    silent = "X:1\nM:4/4\nL:1/4\nK:G\nz4 | z4 | G4 | B2d2 |]\n"
    Path(place).write_text(Path(place).read_text() + "\n" + silent)
    asked = load_data(place, MusicCorpus(bars=2, label=True), seed=1)
    plain = load_data(place, MusicCorpus(bars=2), seed=1)
    splits = ("train", "validation", "heldout", "test")
    both = [sum(len(getattr(each, x)) for x in splits) for each in (asked, plain)]
    assert both == [121, 122] and asked.report["silent_left_out"] == 1
    assert "1 sequences left out: silence has no key" in asked.report_lines
    assert "4/4 | |" not in {text for x in splits for text in asked.codec.texts(getattr(asked, x))}


def test_the_codec_shows_saves_and_loads(data, tmp_path):
    midi = data.codec.show(data.test, tmp_path / "samples" / "real")
    first = data.codec.tunes(data.test)[0]
    assert midi.suffix == ".mid" and set(first.notes) <= set(read_midi(midi.read_bytes(), 12).notes)
    picture = Image.open(io.BytesIO(data.codec.picture(data.test)))
    assert picture.width == 1_120 and (63, 81, 181) in {c for _, c in picture.getcolors()}
    save_codec(data.codec, tmp_path)
    again = load_codec(tmp_path, data.spec)
    assert again.texts(data.test) == data.codec.texts(data.test)
    assert again.encode("4/4 | C4 :48") == data.codec.encode("4/4 | C4 :48")
    with pytest.raises(DataError, match="is not in the vocabulary"):
        again.encode("4/4 | C4 :47")
    file = tmp_path / "codec.json"
    file.write_text(file.read_text().replace('"steps": 12', '"steps": -1'))
    with pytest.raises(CheckpointError, match="-1 steps"):
        load_codec(tmp_path, data.spec)


def test_tokens_that_training_lacks_are_never_emitted(data):
    seen = set(data.train.tokens.unique().tolist())
    everywhere = set(torch.cat([data.train.tokens, data.test.tokens]).unique().tolist())
    assert everywhere - seen <= set(data.spec.withheld)
    assert not seen & set(data.spec.withheld)


def test_midi_files_by_a_pattern(data, tmp_path):
    for i, tune in enumerate(data.codec.tunes(data.train)[:40]):
        (tmp_path / f"{i:02}.mid").write_bytes(write_midi([tune]))
    (tmp_path / "bad.mid").write_bytes(b"nothing")
    found = load_data(str(tmp_path / "*.mid"), MusicCorpus(bars=2, test_share=0.2))
    assert sum(found.report["left_out"]["train"].values()) == 1
    (line,) = [line for line in found.report_lines if "left out" in line]
    assert "is no MIDI file" in line and "(1, first: bad.mid)" in line
    with pytest.raises(DataError, match="no such file"):
        load_data(str(tmp_path / "*.abc"), MusicCorpus())
    source = abc_file(tmp_path)
    with pytest.raises(DataError, match="^--test_data: nothing.abc: there is no such file"):
        load_data(source, MusicCorpus(), test_data="nothing.abc")
    bracketed = abc_file(tmp_path, name="tunes [1].abc")
    assert load_data(bracketed, MusicCorpus(bars=2)).report["pieces"] == {"train": 60}
    with pytest.raises(DataError, match=r"signature \(60, first: tunes.abc, tune 1\)"):
        load_data(source, MusicCorpus(meter="6/8"))
    with pytest.raises(DataError, match="nothing is left.*max_length 3"):
        load_data(source, MusicCorpus(max_length=3))
    with pytest.raises(ConfigError, match="no time signature"):
        MusicCorpus(meter="six eight")


def test_a_file_of_several_tunes_is_divided():
    assert len(split_abc("% a comment\n" + HEAD + "C4\n\n" + HEAD + "D4\n")) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("source", "pieces"), [("irish", 1_900), ("folksongs", 6_000)])
def test_a_corpus_of_music21(source, pieces):
    pytest.importorskip("symusic", reason="needs the extra music")
    pytest.importorskip("music21", reason="needs the extra music")
    found = load_data(source, MusicCorpus())
    assert found.report["pieces"]["train"] > pieces
    assert sum(found.report["left_out"]["train"].values()) < 0.05 * pieces


TUNE = Path(__file__).parents[3] / "docs" / "images" / "music-tune.mid"


def test_the_sound_that_was_measured_is_that_of_the_tune_in_the_docs():
    found = json.loads((TUNE.parents[2] / "benchmarks/results/music-sound.json").read_text())
    assert found["sha256"] == hashlib.sha256(TUNE.read_bytes()).hexdigest()
    page = (TUNE.parents[1] / "music.md").read_text()
    assert f"lasts {found['sound']['seconds']:.1f} seconds" in page
    assert f"{found['sound']['rms']:.4f} of full scale" in page


@pytest.mark.slow
@pytest.mark.skipif(not installed(), reason="needs fluidsynth, fluid-soundfont-gm and sox")
def test_a_tune_is_no_silence(data, tmp_path):
    for tune in (data.codec.show(data.test, tmp_path / "tune"), TUNE):
        figures = sound_of(tune)
        assert figures["rms"] > 0.001 and figures["seconds"] > 20
