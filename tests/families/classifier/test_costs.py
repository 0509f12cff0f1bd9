"""The classifier's table against a walk over its real step, in every form and flavour."""
