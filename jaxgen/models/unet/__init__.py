"""The U-Net of diffusion models."""
