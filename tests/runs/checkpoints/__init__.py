"""Checkpoints: what is saved, what damages it, disks that do not take it."""
