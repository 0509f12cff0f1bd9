"""Flax (linen) modules built from `jaxgen.equations`; each model's config stands in a file beside it."""
