"""Flows from noise to data in one step."""
