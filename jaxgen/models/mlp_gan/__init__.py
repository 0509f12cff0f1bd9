"""The GAN of fully connected layers."""
