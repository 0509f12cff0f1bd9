"""A run's directory: its config, checkpoints, log and progress, and the loop that fills it."""
