"""Generators (policies) and discriminators."""

from .build import make_discriminator, make_generator
from .discriminators.base import Discriminator
from .ensemble import Ensemble
from .generator import Generator, prefix_features
from .saving import load_discriminator, load_generator, load_model, save_model

__all__ = [
    "Discriminator",
    "Ensemble",
    "Generator",
    "load_discriminator",
    "load_generator",
    "load_model",
    "make_discriminator",
    "make_generator",
    "prefix_features",
    "save_model",
]
