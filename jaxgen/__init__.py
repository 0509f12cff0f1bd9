"""Generative models from scratch in JAX: every formula a pure function that one can call and test."""

__version__ = "0.1.0"
