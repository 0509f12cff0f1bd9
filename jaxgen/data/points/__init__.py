"""Points drawn from mixtures whose density is known."""
