"""Text files into sequences of token ids."""
