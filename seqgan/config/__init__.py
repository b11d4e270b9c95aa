"""Every setting of the toolkit: one dataclass field = default + type + docstring + flag.

Nothing here imports torch: the command line reads settings before torch is loaded.
"""

from .algorithms import ALGORITHMS, AlgorithmConfig, PolicyGradient
from .commands import CompareConfig, DataConfig, ReportConfig, SampleConfig
from .data import SOURCES, CorpusConfig, FileCorpus, GrammarCorpus, OracleCorpus
from .discriminators import CNN, DISCRIMINATORS, BiLSTM, DiscriminatorConfig
from .evaluate import EvaluateConfig
from .evaluation import EvaluationConfig
from .files import EvaluateReadingConfig, ReadingConfig
from .generators import GENERATORS, LSTM, GeneratorConfig
from .optimizers import OptimizerConfig
from .rewards import RewardTerm
from .run import CONFIG_FORMAT, CheckpointConfig, FinetuneConfig, RunConfig
from .training import AdversarialConfig, CriticConfig, PretrainConfig

__all__ = [
    "ALGORITHMS",
    "CNN",
    "CONFIG_FORMAT",
    "DISCRIMINATORS",
    "GENERATORS",
    "LSTM",
    "SOURCES",
    "AdversarialConfig",
    "AlgorithmConfig",
    "BiLSTM",
    "CheckpointConfig",
    "CompareConfig",
    "CorpusConfig",
    "CriticConfig",
    "DataConfig",
    "DiscriminatorConfig",
    "EvaluateConfig",
    "EvaluateReadingConfig",
    "EvaluationConfig",
    "FileCorpus",
    "FinetuneConfig",
    "GeneratorConfig",
    "GrammarCorpus",
    "OptimizerConfig",
    "OracleCorpus",
    "PolicyGradient",
    "PretrainConfig",
    "ReadingConfig",
    "ReportConfig",
    "RewardTerm",
    "RunConfig",
    "SampleConfig",
]
