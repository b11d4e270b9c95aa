"""Music as events: tunes, their tokens, and the files they come from and go to."""
