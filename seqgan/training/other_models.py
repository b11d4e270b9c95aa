"""Generators of other runs that judge samples by their likelihood."""

from __future__ import annotations

from ..config import RunConfig
from ..config.rewards import LikelihoodTerm
from ..data.codec import load_codec
from ..data.dataset import Dataset
from ..errors import CheckpointError, ConfigError, RunDirectoryError
from ..models import Generator, load_generator
from ..runs.run_directory import RunDirectory

__all__ = ["check_models", "other_model"]


def other_model(folder: str, data: Dataset) -> Generator:
    """The generator of another run, which reads the token ids of the data.

    Raises:
        ConfigError: there is none that is whole, or it has another vocabulary or other conditions.
    """
    flag = "--rewards: likelihood: model"
    try:
        other = RunDirectory.open(folder)
        model = load_generator(other.checkpoint(other.final()) / "generator")
        codec = load_codec(other.path, model.spec, getattr(data.codec, "tokenizer", None))
    except (RunDirectoryError, CheckpointError) as error:
        raise ConfigError(f"{flag}: {error}") from None
    if codec.fingerprint() != data.codec.fingerprint():
        raise ConfigError(
            f"{flag}: {folder} has another vocabulary than {data.source}; train it on the same data"
        )
    if model.spec.condition and model.spec.condition != data.spec.condition:
        raise ConfigError(
            f"{flag}: {folder} is asked for by {' and '.join(model.spec.condition)}, and the "
            f"sequences of {data.source} are not; train it on the same data"
        )
    return model.eval().requires_grad_(False)


def check_models(config: RunConfig, data: Dataset) -> None:
    """Requires the models that rewards name, before anything is trained.

    Raises:
        ConfigError: one is not there, or does not fit the data.
    """
    for term in config.every_term():
        if isinstance(term, LikelihoodTerm) and term.model is not None:
            other_model(term.model, data)
