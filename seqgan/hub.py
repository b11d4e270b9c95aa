"""A trained generator with its vocabulary, to share and to sample from.

``TextGenerator.from_run("runs/captions").save_pretrained("my-model")`` writes a folder that
``TextGenerator.from_pretrained("my-model")`` reads, here or from the Hugging Face Hub. Parameters
are safetensors, everything else is JSON; nothing is unpickled, and a folder from elsewhere never
causes an import.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
from huggingface_hub.errors import HFValidationError

from rollout import Reward, Sequences
from rollout.completion import policy_device

from .config.decoding import Decoding
from .config.reading import run_config
from .config.settings import settings_from
from .config.sharing import is_folder
from .config.version import __version__
from .data.codec import CODEC, Codec, load_codec, save_codec
from .data.conditions import CONDITIONS, Conditions, load_conditions
from .data.constraints import own_constraint
from .data.prompts import Questions
from .data.text.tokenizers import Tokenizer, make_tokenizer
from .errors import CheckpointError, ConfigError, DataError
from .models import (
    Discriminator,
    Ensemble,
    Generator,
    bases,
    load_discriminator,
    load_generator,
    save_model,
)
from .models.discriminators.base import sequence_log_odds
from .report.card import model_card
from .rewards.beside import RewardsBeside, terms_of_run
from .rewards.ratio import RatioReward
from .runs.run_directory import RunDirectory, write_json
from .training.decoding import decode, scores
from .training.members import kept_ensemble

__all__ = ["DESCRIPTION", "JUDGE", "PARTS", "Sample", "TextGenerator", "run_codec"]

FORMAT = 2
DESCRIPTION, WEIGHTS, JUDGE = "seqgan.json", "generator", "discriminator"

PARTS = (
    f"{WEIGHTS}.*", f"{JUDGE}.*", CODEC, CONDITIONS, DESCRIPTION, "config.json",
    "*vocabulary.json", "tokenizer*.json",
)  # fmt: skip
"""Patterns of the files of a model, of which another model may lack some."""


class Sample(NamedTuple):
    """A sample with its figures.

    Attributes:
        text: one line.
        log_prob: log-probability in nats of what follows the prefix, under the model as it was
            trained: temperature 1, no rules.
        tokens: number of tokens that follow the prefix, EOS counted.
        log_odds: the discriminator's, positive for real; None without one.
        label: the label that was asked for; None without labels.
        source: the source text; None without sources.
        rewards: the values of the reward's terms, neither weighted nor shaped, by name; without
            those that abstain. None: there are none (see `seqgan.config.decoding.Decoding`).
    """

    text: str
    log_prob: float
    tokens: int
    log_odds: float | None = None
    label: str | None = None
    source: str | None = None
    rewards: dict[str, float] | None = None


class TextGenerator(
    ModelHubMixin, library_name="seqgan-toolkit", tags=["seqgan", "text-generation"]
):
    """A policy with what turns its token ids into text.

    Args:
        policy: the generator.
        codec: text to token ids and back.
        facts: what the model card says: "source", "scores", "verdict", "command".
        discriminator: of the fine-tuning, to rate samples by; None: there is none.
        conditions: what the policy can be asked for: labels, source texts.
        constraint: the setting that it was trained with; samples keep it if they name no other.
        settings: of the run, whose rewards stand beside samples; None: there is none.
        run: the run, whose members can judge samples; None: there is none.
    """

    def __init__(
        self,
        policy: Generator,
        codec: Codec,
        facts: dict[str, Any],
        discriminator: Discriminator | None = None,
        conditions: Conditions | None = None,
        constraint: str = "none",
        settings: Mapping[str, Any] | None = None,
        run: RunDirectory | None = None,
    ):
        self.policy, self.codec, self.facts = policy.eval(), codec, facts
        self.discriminator, self.conditions = discriminator, conditions or Conditions()
        self.constraint = constraint
        self._terms, self._joined = terms_of_run(settings or {})
        self._run = run  # its members are read when they are asked for
        self._ensemble: Ensemble | None = None
        # The mixin would write the arguments above into config.json; they have files of their own.
        self._hub_mixin_config = {"library_name": "seqgan-toolkit", "format": FORMAT}

    @classmethod
    def from_run(
        cls, run: str | Path | RunDirectory, model: str = "finetuned", tokenizer: str | None = None
    ) -> TextGenerator:
        """The generator of a finished run.

        Args:
            run: the run's folder.
            model: finetuned (mle if there is none), or mle.
            tokenizer: the name of the run's, if it is not built in.

        Raises:
            RunDirectoryError: no run there, or not a finished one.
            CheckpointError: its checkpoint is damaged.
            ConfigError: there is no such model, or the tokenizer has to be named.
        """
        if model not in ("finetuned", "mle"):
            raise ConfigError(f"model: {model!r} is neither 'finetuned' nor 'mle'")
        directory = RunDirectory.open(run)
        results = directory.results()
        name = directory.final(model)
        place = directory.checkpoint(name)
        policy = load_generator(place / "generator")
        scores = results["scores"]
        config = directory.config()
        which = name if name in scores else "mle"
        facts = {
            "source": results["source"],
            "model": which,
            "scores": scores[which],
            "verdict": results["verdict"] or results.get("objective"),
            "command": directory.command(),
            "version": directory.version() or __version__,
            "confidence": (config.get("evaluation") or {}).get("confidence"),
        }
        codec, conditions = run_codec(directory, policy, tokenizer)
        judge = load_discriminator(place / JUDGE, codec)
        rule = config.get("constraint", "none")
        return cls(policy, codec, facts, judge, conditions, rule, config, directory)

    def by_members(self) -> TextGenerator:
        """The ensemble of the run's members in the place of the policy, to sample from.

        Raises:
            ConfigError: the run has none.
        """
        found = self._kept()
        if found is None:
            raise ConfigError(
                "--model: members: this run has none; a run of --method ratio keeps its ensemble"
            )
        policy = cast(Generator, found)  # all that sampling asks of one
        return TextGenerator(policy, self.codec, {}, None, self.conditions, self.constraint)

    def to(self, device: torch.device | str) -> TextGenerator:
        """The same model with its parameters on a device."""
        self.policy.to(device)
        if self.discriminator is not None:
            self.discriminator.to(device)
        return self

    def sample(
        self, number: int | None = None, *, sources: Sequence[str] | None = None, **settings: Any
    ) -> list[str]:
        """Samples as lines of text.

        Args:
            number: how many; None: 10. With sources, for each of them; None: 1.
            sources: texts to answer, for a model that was trained with such.
            **settings: of `seqgan.config.decoding.Decoding`, which are those of ``seqgan sample``:
                condition, prefix, temperature, top_k, top_p, min_p, greedy, beams,
                length_penalty, repetition_penalty, forbid, constraint, allow_unk, min_length,
                max_length, unique, best_of, best_by, rewards, rescore, rescore_beta, seed.

        Raises:
            ConfigError: a setting is unknown, or does not fit the model.
        """
        return self.lines(settings_from(Decoding, {"number": number, **settings}), sources)

    def samples(
        self, number: int | None = None, *, sources: Sequence[str] | None = None, **settings: Any
    ) -> list[Sample]:
        """As `sample`, each text with its figures."""
        return self.decode(settings_from(Decoding, {"number": number, **settings}), sources)

    def lines(self, settings: Decoding, sources: Sequence[str] | None = None) -> list[str]:
        """Samples as lines of text, by settings that are made already."""
        return self.codec.texts(self._drawn(settings, sources))

    def show(self, settings: Decoding, place: Path, sources: Sequence[str] | None = None) -> Path:
        """Writes samples as people look at them or hear them: a picture, a MIDI file, or lines."""
        return self.codec.show(self._drawn(settings, sources), place.with_suffix(""))

    def decode(self, settings: Decoding, sources: Sequence[str] | None = None) -> list[Sample]:
        """Samples with their figures, by settings that are made already."""
        rewards = self._rewards(settings)
        found, prefix = self._decoded(settings, sources, rewards)
        figures = scores(self.policy, found, prefix, self._judge())
        count, odds = len(found), figures.log_odds
        asked = self.conditions.described(found.condition) or [{}] * count
        values = {} if rewards is None else rewards.values(found)
        beside = [
            {name: float(each[i]) for name, each in values.items() if not each[i].isnan()}
            for i in range(count)
        ]
        rows = zip(
            self.codec.texts(found), figures.log_prob.tolist(), figures.tokens.tolist(),
            [None] * count if odds is None else odds.tolist(), strict=True,
        )  # fmt: skip
        return [
            Sample(*row, names.get("label"), names.get("source"), terms or None)
            for row, names, terms in zip(rows, asked, beside, strict=True)
        ]

    def _drawn(self, settings: Decoding, sources: Sequence[str] | None) -> Sequences:
        """Sequences without their figures; rewards are made only to choose by them."""
        rewards = self._rewards(settings) if settings.chooses_by("reward") else None
        return self._decoded(settings, sources, rewards)[0]

    def _decoded(
        self, settings: Decoding, sources: Sequence[str] | None, rewards: RewardsBeside | None
    ) -> tuple[Sequences, int]:
        """Sequences, chosen by `rewards` if they are to, and the length of their prefix."""
        prefix = self._encoded(settings.prefix, settings.max_length)
        questions = Questions(prefix, self.conditions.asked(settings.condition, sources))
        forbidden = [each for word in settings.forbid for each in self._forbidden(word)]
        if not settings.allow_unk:
            forbidden += self._unknown_ids()
        judge: Reward | None = None
        best = settings.chooses_by("discriminator")
        if best or settings.rescore > 1:
            judge = self._judge() or self._members()
            if judge is None:
                what = "--best_by: discriminator" if best else "--rescore"
                raise ConfigError(
                    f"{what}: this model has none; take {'likelihood, or ' if best else ''}the "
                    "fine-tuned model of a run that has a discriminator, or members (--method "
                    "ratio)"
                )
        if settings.chooses_by("reward"):
            judge = rewards
            if judge is None:
                raise ConfigError(
                    "--best_by: reward: this model has none that judges a sequence by itself; "
                    "name its terms with --rewards"
                )
        usual = 10 if sources is None else 1
        number = usual if settings.number is None else settings.number
        if settings.beams:
            number = min(number, settings.beams)
        rule = own_constraint(self.constraint, settings.constraint, self.codec)
        found = decode(self.policy, settings, questions, number, forbidden, judge, rule)
        return found, len(questions.prefix)

    def _rewards(self, settings: Decoding) -> RewardsBeside | None:
        """The rewards that stand beside samples, if there are any."""
        terms = settings.rewards or self._terms
        if not terms:
            return None
        return RewardsBeside(terms, self.codec, self.conditions, self._joined)

    def _judge(self) -> Reward | None:
        """The discriminator's log-odds, if there is one."""
        return None if self.discriminator is None else sequence_log_odds(self.discriminator)

    def _members(self) -> Reward | None:
        """The log ratio of the members of the run to the policy, if there are any.

        It is the log-odds of the optimal discriminator between samples of both.
        """
        found = self._kept()
        if found is None:
            return None
        ratio = RatioReward(found.to(policy_device(self.policy)), self.policy)
        return lambda sequences: ratio(sequences).sum(1)

    def _kept(self) -> Ensemble | None:
        """The ensemble of the run, if there are both."""
        if self._run is None:
            return None
        if self._ensemble is None:
            config = run_config(self._run.config(), str(self._run.path / "config.yaml"))
            self._ensemble = kept_ensemble(config, self._run, policy_device(self.policy))
        return self._ensemble

    def _ids(self, name: str, text: str) -> list[int]:
        """The token ids of a text that a setting holds."""
        try:
            return self.codec.encode(text)
        except DataError as error:
            raise ConfigError(f"--{name}: {error}") from None

    def _forbidden(self, word: str) -> set[int]:
        """The token ids of a word that is never emitted.

        To a tokenizer of pieces a word within a text, after a blank, is another token than at its
        beginning.
        """
        known = []
        for form in (word, f" {word}"):
            with contextlib.suppress(DataError):  # the data may have it in one form alone
                known.append(self.codec.encode(form))
        if not any(len(each) == 1 for each in known):
            found = self._ids("forbid", word)
            pieces = ", ".join(repr(piece) for piece in self.codec.pieces(word))
            raise ConfigError(
                f"--forbid: {word!r} is {len(found)} tokens{f' ({pieces})' if found else ''}; "
                "what is forbidden is one token: give each token that no sequence may hold"
            )
        return {each[0] for each in known if len(each) == 1}

    def _encoded(self, prefix: str, longest: int | None) -> list[int]:
        """The token ids of a prefix."""
        tokens = self._ids("prefix", prefix)
        most = min(self.policy.max_length, longest or self.policy.max_length)
        if len(tokens) >= most:
            raise ConfigError(
                f"--prefix: {len(tokens)} tokens leave nothing to generate: the longest "
                f"sequence has {most}"
            )
        return tokens

    def _unknown_ids(self) -> tuple[int, ...]:
        """The ids of ``<unk>``."""
        if not self.codec.unknown_ids:
            raise ConfigError(
                "--allow_unk: none of this model's tokens is <unk>; leave the setting out"
            )
        return self.codec.unknown_ids

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **settings: Any
    ) -> TextGenerator:
        """A generator that `save_pretrained` wrote.

        Args:
            pretrained_model_name_or_path: its folder, or a repository of the Hub.
            **settings: tokenizer (of a model whose own is not built in), base_model and
                base_encoder (places of the pretrained models that generator and discriminator go
                on from), revision, cache_dir, force_download, local_files_only, token.

        Raises:
            CheckpointError: there is none, it is damaged, or a pretrained model that it goes on
                from is not there.
        """
        model = pretrained_model_name_or_path
        folder = isinstance(model, Path) or is_folder(model)
        if folder and not Path(model).is_dir():  # asking the Hub would take long
            raise CheckpointError(f"{model}: no such folder, and no model that the Hub could have")
        try:
            return cast(TextGenerator, super().from_pretrained(model, **settings))
        except (OSError, HFValidationError) as error:
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise CheckpointError(
                f"{model}: no such folder, and no model that can be had from the Hub: {first}"
            ) from error

    def _save_pretrained(self, save_directory: Path) -> None:
        save_model(self.policy, save_directory / WEIGHTS, shared=True)
        if self.discriminator is not None:
            save_model(self.discriminator, save_directory / JUDGE, shared=True)
        save_codec(self.codec, save_directory)
        self.conditions.save(save_directory)
        description = {
            "format": FORMAT,
            "version": __version__,
            "constraint": self.constraint,
            "facts": self.facts,
        }
        write_json(save_directory / DESCRIPTION, description)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        tokenizer: Tokenizer | None = None,
        base_model: str | None = None,
        base_encoder: str | None = None,
        **_: Any,
    ) -> TextGenerator:
        """Reads a folder, or a repository of the Hub.

        Args:
            model_id: the folder or the repository.
            revision: branch, tag or commit.
            cache_dir: where downloads are kept.
            force_download: download again.
            local_files_only: never download.
            token: of the Hub.
            tokenizer: the one to use, where the model names one that is not built in.
            base_model: place of the pretrained model that the generator goes on from.
            base_encoder: the same of the discriminator; none: without a discriminator.
        """
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        description = _read_description(folder / DESCRIPTION)
        policy = load_generator(folder / WEIGHTS, base=base_model)
        codec = load_codec(folder, policy.spec, tokenizer)
        conditions = load_conditions(folder, policy.spec, tokenizer)
        judge = load_discriminator(folder / JUDGE, codec, base=base_encoder)
        rule = description.get("constraint", "none")
        return cls(policy, codec, description["facts"], judge, conditions, rule)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The model card: what it is, its scores with intervals, the command that made it."""
        names = {"generator": self.policy, "discriminator": self.discriminator}
        found = {
            kind: bases.base_of(model.settings)
            for kind, model in names.items()
            if model is not None
        }
        return ModelCard(model_card({**self.facts, "bases": found}))


def run_codec(
    directory: RunDirectory, policy: Generator, tokenizer: str | None = None
) -> tuple[Codec, Conditions]:
    """The codec of a run's generator, and what it can be asked for.

    Args:
        directory: the run; it may be a stranger's, and alone never causes an import.
        policy: its generator.
        tokenizer: the name of the one to use, if the run's is not built in.

    Raises:
        ConfigError: the run's tokenizer is not built in, and none is given.
        CheckpointError: the generator was trained with another vocabulary.
    """
    made = None if tokenizer is None else make_tokenizer(tokenizer, "--tokenizer")
    codec = load_codec(directory.path, policy.spec, made)
    return codec, load_conditions(directory.path, policy.spec, made)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; this is no saved generator") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a saved generator of format {FORMAT}")
    if not isinstance(content.get("constraint", "none"), str):
        raise CheckpointError(f"{path}: constraint: no name of one; pull the model again")
    try:
        content["facts"] = {"version": content.get("version"), **(content.get("facts") or {})}
        model_card(content["facts"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: facts: no model card can be made of them ({type(error).__name__}: {error}); "
            "pull the model again"
        ) from None
    return content
