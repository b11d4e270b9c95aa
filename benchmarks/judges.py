"""Discriminators of methods whose generator reads them, kept for the methods' controls."""

from __future__ import annotations

import shutil
from pathlib import Path

from seqgan.config import GeneratorConfig
from seqgan.data.codec import Codec
from seqgan.errors import ConfigError
from seqgan.models import Discriminator, load_discriminator, save_model
from seqgan.runs.files import write_folder
from seqgan.training.fine_tuning import FineTuning

__all__ = ["Judges"]


class Judges:
    """Discriminators as the rounds of methods left them.

    A control begins, as its method did, with a generator whose features are those of a trained
    discriminator (LeakGAN); it may be trained by another process than the method was.

    Args:
        folder: where they are kept; None: in memory alone.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        self._found: dict[str, Discriminator] = {}

    def keep(self, name: str, work: FineTuning) -> None:
        """Keeps the discriminator of a method after its rounds, if its generator reads it."""
        if work.config.generator.judge is None or work.discriminator is None:
            return
        judge = self._found[name] = work.discriminator
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        write_folder(self.folder / name, lambda aside: save_model(judge, aside / "discriminator"))

    def of(self, name: str, generator: GeneratorConfig, codec: Codec) -> Discriminator | None:
        """The discriminator for the control of a method; None if its generator reads none.

        Raises:
            ConfigError: there is none.
        """
        if generator.judge is None:
            return None
        if name not in self._found:
            place = None if self.folder is None else self.folder / name / "discriminator"
            judge = None if place is None else load_discriminator(place, codec)
            if judge is None:
                raise ConfigError(
                    f"{name}: its generator reads the discriminator, and none was kept for the "
                    f"control; remove the result of {name}, so that it is run again"
                )
            self._found[name] = judge
        return self._found[name]
