"""Distances between sets, and pictures of them: arrays in, numbers or files out."""
