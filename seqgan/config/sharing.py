"""Settings of the commands that share a model, and of shell completion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .checks import choice, require
from .names import check_tokenizer
from .settings import Settings

__all__ = ["FLAGS", "SHELLS", "CompletionConfig", "PullConfig", "PushConfig", "is_folder"]

MODELS = ("finetuned", "mle")
SHELLS = ("bash", "zsh", "fish")
FLAGS = {"generator": "--base_model", "discriminator": "--base_encoder"}
"""The flags that name the place of a pretrained model, by what goes on from it."""


def is_folder(place: str) -> bool:
    """Tells a folder's name, which begins with a dot, a slash or a tilde, from a repository's."""
    return place.startswith((".", "/", "~"))


def _check_place(flag: str, place: str) -> None:
    require(
        is_folder(place) or place.count("/") == 1 and all(place.split("/")),
        f"{flag}: {place!r} is neither a repository of the Hugging Face Hub (OWNER/NAME) nor a "
        "folder (./NAME, /PATH)",
    )


@dataclass
class PushConfig(Settings):
    """The generator of a finished run with its model card, put where others find it.

    Attributes:
        run: folder of the run.
        to: OWNER/NAME, a repository of the Hugging Face Hub (log in with hf auth login first), or a
            folder: ./NAME or /PATH.
        model: finetuned (mle if there is none), or mle.
        private: a new repository is private.
        overwrite: replace the model that a folder holds.
        tokenizer: the name of the run's, if it is not built in.
    """

    run: str
    to: str
    model: str = "finetuned"
    private: bool = False
    overwrite: bool = False
    tokenizer: str | None = None

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The models."""
        return MODELS if name == "model" else ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_place("--to", self.to)
        choice(self, "model", MODELS)
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)


@dataclass
class PullConfig(Settings):
    """A generator that somebody pushed, checked and kept in a folder to sample from.

    Attributes:
        model: OWNER/NAME, a repository of the Hugging Face Hub, or a folder: ./NAME or /PATH.
        to: the folder to write.
        revision: branch, tag or commit of the repository; none: the newest.
        overwrite: replace the model that the folder holds.
        tokenizer: the name of the model's, if it is not built in.
        base_model: place of the pretrained model that the generator goes on from, if it does.
        base_encoder: the same of the discriminator; none: leave the discriminator out.
    """

    model: str
    to: str
    revision: str | None = None
    overwrite: bool = False
    tokenizer: str | None = None
    base_model: str | None = None
    base_encoder: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_place("--model", self.model)
        require(self.to != "", "--to: an empty name")
        if self.tokenizer is not None:
            check_tokenizer("--tokenizer", self.tokenizer)


@dataclass
class CompletionConfig(Settings):
    """A script with which a shell completes commands, flags and their values.

    Attributes:
        shell: bash, zsh or fish.
    """

    shell: str

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The shells."""
        return SHELLS if name == "shell" else ()

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "shell", SHELLS)
