"""The folder of a run: settings, log, checkpoints, resuming and replacing."""
