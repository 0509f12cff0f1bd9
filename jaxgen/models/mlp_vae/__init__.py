"""The VAE of fully connected layers."""
