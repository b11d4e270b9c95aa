"""Training, evaluation and comparison of generators of discrete sequences."""
