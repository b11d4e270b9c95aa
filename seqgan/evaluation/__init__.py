"""Measuring models and samples, and the verdict."""
