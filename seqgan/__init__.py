"""Adversarial and reinforcement-learning generation of discrete sequences."""

from ._version import __version__

__all__ = ["__version__"]
