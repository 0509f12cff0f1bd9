"""Draws from trained models."""
