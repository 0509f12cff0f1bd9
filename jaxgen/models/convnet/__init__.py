"""A small convolutional network that classifies images."""
