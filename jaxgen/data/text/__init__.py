"""Texts: sources, tokenizers, what a model knows of them, and how a batch is taken."""
