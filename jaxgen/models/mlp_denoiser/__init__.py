"""A denoiser of fully connected layers."""
