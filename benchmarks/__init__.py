"""Benchmarks: the real steps of `jaxgen`, their time beside their mathematics (`cli.py`)."""
