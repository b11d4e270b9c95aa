"""Data sources with and without a known density."""
