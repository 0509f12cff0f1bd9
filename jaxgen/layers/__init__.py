"""Linen modules with explicit fields, which the models share; none takes a model's config."""
