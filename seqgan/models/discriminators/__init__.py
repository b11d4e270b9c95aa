"""Discriminators, a file per architecture."""
