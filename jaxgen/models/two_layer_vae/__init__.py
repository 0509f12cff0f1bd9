"""The VAE of two stochastic layers."""
