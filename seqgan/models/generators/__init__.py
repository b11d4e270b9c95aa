"""Generators, a file per architecture."""
