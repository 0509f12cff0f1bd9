"""Diffusion models of images and points."""
