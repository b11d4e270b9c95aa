"""The commands: one line for each says all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import (
    CompareConfig,
    DataConfig,
    EvaluateConfig,
    ExplainConfig,
    FinetuneConfig,
    MethodsConfig,
    ReportConfig,
    RunConfig,
    SampleConfig,
    WatchConfig,
)
from ..config.settings import Settings
from ..config.sharing import CompletionConfig, PullConfig, PushConfig
from .arguments import Words

__all__ = ["COMMANDS", "Command"]


@dataclass(frozen=True)
class Command:
    """A command of the terminal; the function of its name in `commands` does the work.

    Attributes:
        summary: for the list of commands.
        settings: its dataclass of settings.
        words: the settings that arguments without a flag are given to.
        example: of a command line.
        shared: if several processes can share it.
    """

    summary: str
    settings: type[Settings]
    words: Words
    example: str
    shared: bool = False


COMMANDS = {
    "run": Command(
        "pretrain by MLE, fine-tune adversarially, compare both",
        RunConfig, Words(("data",)),
        "seqgan run --data captions.txt --size quick --output_dir runs/captions", shared=True,
    ),
    "pretrain": Command(
        "pretrain a generator by MLE",
        RunConfig, Words(("data",)),
        "seqgan pretrain --data captions.txt --output_dir runs/mle", shared=True,
    ),
    "finetune": Command(
        "fine-tune the generator of a pretrained run, and compare",
        FinetuneConfig, Words(("run",)),
        "seqgan finetune --run runs/mle --output_dir runs/tuned", shared=True,
    ),
    "sample": Command(
        "sample from the generator of a run",
        SampleConfig, Words(("run",)),
        "seqgan sample --run runs/captions --number 20 --temperature 0.8",
    ),
    "evaluate": Command(
        "measure the generators of a run, or any file of samples",
        EvaluateConfig, Words(("run",), files=("samples", "references")),
        "seqgan evaluate --samples generated.txt --references test.txt",
    ),
    "explain": Command(
        "explain sequences token by token: likelihood, alternatives, what the discriminator sees",
        ExplainConfig, Words(("run",)),
        "seqgan explain --run runs/captions --text \"a red cat\"",
    ),
    "compare": Command(
        "show several runs side by side",
        CompareConfig, Words(native="runs", many=True, also=("run",)),
        "seqgan compare runs/first runs/second",
    ),
    "watch": Command(
        "watch a run while it goes: curves, samples, rewards",
        WatchConfig, Words(("run",)), "seqgan watch --run runs/captions",
    ),
    "report": Command(
        "rewrite the report of a run",
        ReportConfig, Words(("run",)), "seqgan report --run runs/captions",
    ),
    "methods": Command(
        "list the methods with their papers, and what our benchmarks found",
        MethodsConfig, Words(("method",)), "seqgan methods seqgan",
    ),
    "data": Command(
        "show the contents of a data source before training on it, or write them to a file",
        DataConfig, Words(native="source", also=("data",)),
        "seqgan data captions.txt --corpus.tokenizer words",
    ),
    "push": Command(
        "put the generator of a run, with its model card, on the Hugging Face Hub or in a folder",
        PushConfig, Words(("run",)), "seqgan push --run runs/captions --to ./captions-model",
    ),
    "pull": Command(
        "keep a generator from the Hugging Face Hub or a folder, to sample from",
        PullConfig, Words(("model",)), "seqgan pull --model ./captions-model --to models/captions",
    ),
    "completion": Command(
        "print a script with which a shell completes commands and flags",
        CompletionConfig, Words(("shell",)), "seqgan completion bash > ~/.seqgan-completion",
    ),
}  # fmt: skip
