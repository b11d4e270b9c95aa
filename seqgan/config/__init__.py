"""Every setting of the toolkit: one dataclass field = default + type + docstring + flag.

Nothing here imports torch: the command line reads settings before torch is loaded.
"""

from .adversarial import AdversarialConfig
from .algorithms import ALGORITHMS, AlgorithmConfig, Distill, PolicyGradient, Ratio, Relaxed
from .checkpoint import CheckpointConfig
from .commands import CompareConfig, DataConfig, MethodsConfig, ReportConfig
from .corpus import CorpusConfig
from .critic import CriticConfig
from .data import SOURCES
from .discriminators import CNN, DISCRIMINATORS, BiLSTM, DiscriminatorConfig
from .drawn_corpus import GrammarCorpus, OracleCorpus
from .ensemble import EnsembleConfig
from .evaluate import EvaluateConfig
from .evaluation import EvaluationConfig
from .explain import ExplainConfig
from .file_corpus import FileCorpus
from .files import EvaluateReadingConfig, ReadingConfig
from .finetune import FinetuneConfig
from .format import CONFIG_FORMAT
from .generators import GENERATORS, LSTM, GeneratorConfig
from .music_corpus import MusicCorpus
from .optimizers import OptimizerConfig
from .picture_corpus import PictureCorpus
from .pretrain import PretrainConfig
from .rewards import DiscriminatorTerm, RewardConfig, RewardTerm
from .run import RunConfig
from .sample import SampleConfig
from .watch import WatchConfig

__all__ = [
    "ALGORITHMS",
    "CNN",
    "CONFIG_FORMAT",
    "DISCRIMINATORS",
    "GENERATORS",
    "LSTM",
    "MethodsConfig",
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
    "Distill",
    "EnsembleConfig",
    "DiscriminatorTerm",
    "EvaluateConfig",
    "EvaluateReadingConfig",
    "EvaluationConfig",
    "ExplainConfig",
    "FileCorpus",
    "FinetuneConfig",
    "GeneratorConfig",
    "GrammarCorpus",
    "OptimizerConfig",
    "OracleCorpus",
    "MusicCorpus",
    "PictureCorpus",
    "PolicyGradient",
    "PretrainConfig",
    "Ratio",
    "Relaxed",
    "ReadingConfig",
    "ReportConfig",
    "RewardConfig",
    "RewardTerm",
    "RunConfig",
    "SampleConfig",
    "WatchConfig",
]
