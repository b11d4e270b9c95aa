"""Generators (policies) and discriminators."""

from .build import make_discriminator, make_generator
from .discriminators import BiLSTMDiscriminator, CNNDiscriminator, Discriminator
from .lstm import LSTMGenerator
from .saving import load_generator, load_model, save_model

__all__ = [
    "BiLSTMDiscriminator",
    "CNNDiscriminator",
    "Discriminator",
    "LSTMGenerator",
    "load_generator",
    "load_model",
    "make_discriminator",
    "make_generator",
    "save_model",
]
