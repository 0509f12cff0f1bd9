"""Binds a model to its equations: `loss(params, batch, key) -> (loss, metrics)`."""
