"""The whole path of a run: begin, pretrain by MLE, fine-tune, compare, report."""

from .finishing import RunResult
from .running import finetune, pretrain_only, run

__all__ = ["RunResult", "finetune", "pretrain_only", "run"]
