"""A run may be written over whatever its data were: all files beside it are known as a run's."""

from __future__ import annotations

import pytest

from seqgan.config.drawn_corpus import StylesCorpus, TranslationCorpus
from seqgan.data.codec import save_codec
from seqgan.data.sources import load_data
from seqgan.data.text.tokenizers import FILE
from seqgan.errors import RunDirectoryError
from seqgan.runs.run_directory import CONFIG, ENVIRONMENT, RunDirectory

SIZES = {"num_train": 20, "num_heldout": 5, "num_validation": 5, "num_test": 5}


@pytest.mark.parametrize("source", ["styles", "translation"])
def test_files_of_labels_sources_and_tokenizers_are_a_runs_own(source, tmp_path):
    kind = {"styles": StylesCorpus, "translation": TranslationCorpus}[source]
    data = load_data(source, kind(**SIZES), seed=0)
    save_codec(data.codec, tmp_path)
    data.conditions.save(tmp_path)
    for name in (CONFIG, ENVIRONMENT, FILE):
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) >= 6
    RunDirectory.check_free(tmp_path, overwrite=True)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(RunDirectoryError, match="thesis.txt"):
        RunDirectory.check_free(tmp_path, overwrite=True)
