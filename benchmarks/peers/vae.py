"""The VAE's peer: MLP encoder and decoder, one draw of z, Bernoulli pixels, negative ELBO.

Kingma & Welling 2014, eqs. (10), (11), appendices B and C, https://arxiv.org/abs/1312.6114.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import theirs
from benchmarks.peers.ours import Case, Ours

CASES = {
    "vae-digits": Case("vae-digits"),
    # Document 002's VAE of 28 x 28 pixels, 784-400-20, by plain Adam.
    "vae-document": Case(
        "vae-digits",
        {
            "model": {"hidden_sizes": (400,)},
            "optimizer": {"weight_decay": 0.0, "schedule": "constant"},
        },
        image_side=28,
    ),
}


class VAE(nn.Module):
    """The loss as a module: images to nats."""

    def __init__(self, params):
        super().__init__()
        self.encoder, self.decoder = theirs.MLP(params["encoder"]), theirs.MLP(params["decoder"])

    def forward(self, image: Tensor, noise: theirs.Noise) -> Tensor:
        """-ELBO, the mean over images (B, pixels) that a threshold makes black and white."""
        image = (image > 0.5).float()
        mean, log_variance = self.encoder(image).chunk(2, dim=1)
        draw = theirs.normal(noise, *mean.shape)
        logits = self.decoder(mean + torch.exp(0.5 * log_variance) * draw)
        pixels = functional.binary_cross_entropy_with_logits(logits, image, reduction="sum")
        kl = 0.5 * torch.sum(mean.square() + log_variance.exp() - 1 - log_variance)
        return (pixels + kl) / len(image)


def make_step(ours: Ours, *, compiled: bool) -> theirs.Step:
    """The peer of this training, from the same parameters."""
    config, levels = ours.experiment, ours.data.train.levels
    if (config.binarise, config.likelihood) != ("threshold", "bernoulli"):
        raise ValueError("the peer binarises by a threshold and has a Bernoulli likelihood")
    model = VAE(ours.params)
    update = theirs.make_update(model, model, config.optimizer, compiled=compiled)

    def step(arrays, indices, noise):
        return {"loss": update(theirs.images(arrays, indices, levels), noise)}

    return step
