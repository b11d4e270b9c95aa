"""Settings of ``seqgan finetune``."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import require
from .run import RunConfig

__all__ = ["FinetuneConfig"]


@dataclass
class FinetuneConfig(RunConfig):
    """Adversarial fine-tuning of a pretrained run; its other settings are the defaults here.

    Attributes:
        run: folder of the pretrained run.
        transfer: fine-tune on other data than the run's, which --data names; they are read with its
            vocabulary.
    """

    run: str = ""
    transfer: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.run), "--run: expects the folder of a pretrained run")
