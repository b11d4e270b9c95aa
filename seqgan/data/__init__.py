"""Data: vocabularies, tokenizers, readers of a user's own files, corpora."""
