"""Binds a model to its equations: `loss(params, batch, keys) -> (loss, metrics)`, keys (B,)."""
