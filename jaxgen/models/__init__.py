"""Architectures: a folder each, with its config (no jax), its linen modules and its costs (no jax)."""
