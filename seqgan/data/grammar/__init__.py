"""The caption grammar: a source of text whose density is known."""
