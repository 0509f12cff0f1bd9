"""The VAE of convolutions."""
