"""A trained generator with its vocabulary, to share and to sample from.

``TextGenerator.from_run("runs/captions").save_pretrained("my-model")`` writes a folder that
``TextGenerator.from_pretrained("my-model")`` reads, here or from the Hugging Face Hub. Parameters
are safetensors, everything else is JSON; nothing is unpickled, and a folder from elsewhere never
causes an import.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
from huggingface_hub.errors import HFValidationError

from rollout import Sampler

from .config.version import __version__
from .data.codec import Codec, load_codec, save_codec
from .data.prompts import Beginning
from .data.text.tokenizers import Tokenizer, make_tokenizer
from .errors import CheckpointError, ConfigError, DataError
from .models import Generator, load_generator, save_model
from .runs.run_directory import RunDirectory, write_json
from .seeding import rng_for
from .training.sampling import draw

__all__ = ["TextGenerator", "run_codec"]

FORMAT = 2
DESCRIPTION, WEIGHTS = "seqgan.json", "generator"


class TextGenerator(
    ModelHubMixin, library_name="seqgan-toolkit", tags=["seqgan", "text-generation"]
):
    """A policy with what turns its token ids into text.

    Args:
        policy: the generator.
        codec: text to token ids and back.
        facts: what the model card says: "source", "scores", "verdict", "command".
    """

    def __init__(self, policy: Generator, codec: Codec, facts: dict[str, Any]):
        self.policy, self.codec, self.facts = policy.eval(), codec, facts
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
        policy = load_generator(directory.checkpoint(name) / "generator")
        scores = results["scores"]
        which = name if name in scores else "mle"
        facts = {
            "source": results["source"],
            "model": which,
            "scores": scores[which],
            "verdict": results["verdict"],
            "command": directory.command(),
        }
        return cls(policy, run_codec(directory, policy, tokenizer), facts)

    def sample(
        self,
        number: int,
        *,
        prefix: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        allow_unk: bool = True,
        seed: int = 0,
        flags: str = "",
    ) -> list[str]:
        """Samples as lines of text.

        Args:
            number: how many.
            prefix: text that every sequence begins with, in words of the vocabulary.
            temperature: softmax temperature, above 0.
            top_k: keep only the k most likely tokens at each step.
            top_p: keep only the most likely tokens that together reach this probability.
            allow_unk: samples may hold ``<unk>``, where the training sequences do.
            seed: two seeds give different samples.
            flags: what the names of these settings begin with, for messages.

        Raises:
            ConfigError: the prefix is too long or not in the vocabulary; or the tokens are bare
                ids, and none is ``<unk>``.
        """
        sampler = Sampler(temperature, top_k, top_p)
        policy = self.policy if allow_unk else self._without_unknown(flags)
        asked = Beginning(self._encoded(prefix, flags))
        rng = rng_for(seed, "sample")
        return self.codec.texts(
            draw(policy.emitting(), number, rng, asked, sampler=sampler).sequences
        )

    def _encoded(self, prefix: str, flags: str) -> list[int]:
        """The token ids of a prefix."""
        try:
            tokens = self.codec.encode(prefix)
        except DataError as error:
            raise ConfigError(f"{flags}prefix: {error}") from None
        if len(tokens) >= self.policy.max_length:
            raise ConfigError(
                f"{flags}prefix: {len(tokens)} tokens leave nothing to generate: the longest "
                f"sequence has {self.policy.max_length}"
            )
        return tokens

    def _without_unknown(self, flags: str) -> Generator:
        """The policy that never emits ``<unk>``."""
        if not self.codec.unknown_ids:
            raise ConfigError(
                f"{flags}allow_unk: the tokens of this run are bare ids, and none is <unk>"
            )
        return self.policy.withholding(self.codec.unknown_ids)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **settings: Any
    ) -> TextGenerator:
        """A generator that `save_pretrained` wrote.

        Args:
            pretrained_model_name_or_path: its folder, or a repository of the Hub.
            **settings: tokenizer (of a model whose own is not built in), revision, cache_dir,
                force_download, local_files_only, token.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        model = pretrained_model_name_or_path
        try:
            return cast(TextGenerator, super().from_pretrained(model, **settings))
        except (OSError, HFValidationError) as error:
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise CheckpointError(
                f"{model}: no such folder, and no model that can be had from the Hub: {first}"
            ) from error

    def _save_pretrained(self, save_directory: Path) -> None:
        save_model(self.policy, save_directory / WEIGHTS)
        save_codec(self.codec, save_directory)
        description = {"format": FORMAT, "version": __version__, "facts": self.facts}
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
        policy = load_generator(folder / WEIGHTS)
        codec = load_codec(folder, policy.spec, tokenizer)
        return cls(policy, codec, dict(description.get("facts") or {}))

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The model card: what it is, its scores with intervals, the command that made it."""
        facts = self.facts
        rows = [
            f"| {score['name']} | {score['value']:.4f} | {_interval(score['interval'])} "
            f"| {score['n']:,} | `{score['signature'].replace('|', ' ')}` |"
            for score in facts.get("scores", [])
        ]
        verdict = (facts.get("verdict") or {}).get("sentence", "Not compared with another model.")
        lines = [
            "---",
            "library_name: seqgan-toolkit",
            "tags: [seqgan, text-generation]",
            "---",
            "# A generator of discrete sequences",
            f"Trained on `{facts.get('source', 'unknown')}` with seqgan-toolkit {__version__} "
            f"({facts.get('model', 'model')}).",
            "## Verdict against MLE",
            verdict,
            "## Scores",
            "| metric | value | 95% interval | n | signature |",
            "|---|---|---|---|---|",
            *rows,
            "## Made by",
            "```bash",
            str(facts.get("command", "unknown")),
            "```",
            "## Use",
            "```python",
            "from seqgan import TextGenerator",
            "",
            'print(TextGenerator.from_pretrained("PATH_OR_REPOSITORY").sample(10))',
            "```",
        ]
        # A blank line between blocks, none inside tables and code.
        text = "\n".join(_spaced(lines)) + "\n"
        return ModelCard(text)


def run_codec(directory: RunDirectory, policy: Generator, tokenizer: str | None = None) -> Codec:
    """The codec of a run's generator.

    Args:
        directory: the run; it may be a stranger's, and alone never causes an import.
        policy: its generator.
        tokenizer: the name of the one to use, if the run's is not built in.

    Raises:
        ConfigError: the run's tokenizer is not built in, and none is given.
        CheckpointError: the generator was trained with another vocabulary.
    """
    made = None if tokenizer is None else make_tokenizer(tokenizer, "--tokenizer")
    return load_codec(directory.path, policy.spec, made)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; this is no saved generator") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a saved generator of format {FORMAT}")
    return content


def _interval(interval: list[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _spaced(lines: list[str]) -> list[str]:
    """Blank lines around headings and paragraphs, so that Markdown reads them as such."""
    spaced: list[str] = []
    for line in lines:
        if line.startswith("#") and spaced and spaced[-1] != "":
            spaced.append("")
        spaced.append(line)
        if line.startswith("#") or line.endswith("."):
            spaced.append("")
    return spaced
