"""The GAN of convolutions."""
