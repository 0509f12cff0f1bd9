"""Held-out metrics and distances between sets."""
