"""Autoencoders whose latents are codes: vector-quantised, or drawn by a Gumbel-softmax."""
