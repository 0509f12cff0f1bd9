"""The GAN's peer: two MLPs, the discriminator's step, then the generator's against its successor.

Goodfellow et al. 2014, algorithm 1 with k = 1 and section 3, https://arxiv.org/abs/1406.2661.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers import theirs
from benchmarks.peers.ours import Case, Ours

CASES = {
    "gan-digits": Case("gan-digits"),
    # Document 002, 5.2: 28 x 28 pixels, 100-256-512-784 against 784-512-256-1.
    "gan-document": Case(
        "gan-digits",
        {"batch_size": 128, "model": {"discriminator_dropout": 0.0}},
        image_side=28,
        # Where the first update's 6e-6 carries a unit of one example over ReLU's corner, a gradient
        # jumps: 3e-4 was seen, while torch alone stays within 1e-7 of its own float64.
        tolerance=1e-3,
    ),
}


class Players(nn.Module):
    """Both players with the non-saturating pair of losses, each the mean over a batch."""

    def __init__(self, params, dropout: float, latent_size: int):
        super().__init__()
        self.generator = theirs.MLP(params["generator"]["MLP_0"])
        self.discriminator = theirs.MLP(params["discriminator"]["MLP_0"], dropout)
        self.latent_size = latent_size

    def generate(self, count: int, noise: theirs.Noise) -> Tensor:
        """G(z) = sigmoid(MLP(z)), (count, pixels)."""
        return torch.sigmoid(self.generator(theirs.normal(noise, count, self.latent_size)))

    def judge(self, image: Tensor, noise: theirs.Noise) -> Tensor:
        """The logits of D(x), (B,)."""
        return self.discriminator(image, noise, drop=True).squeeze(1)

    def discriminator_loss(self, image: Tensor, noise: theirs.Noise) -> Tensor:
        """-log D(x) - log(1 - D(G(z)))."""
        with torch.no_grad():
            fake = self.generate(len(image), noise)
        real_term = functional.softplus(-self.judge(image, noise))
        return (real_term + functional.softplus(self.judge(fake, noise))).mean()

    def generator_loss(self, count: int, noise: theirs.Noise) -> Tensor:
        """-log D(G(z))."""
        return functional.softplus(-self.judge(self.generate(count, noise), noise)).mean()


SUPPORTED = ("non-saturating", "none", 1)


def make_step(ours: Ours, *, compiled: bool) -> theirs.Step:
    """The peer of this training, from the same parameters."""
    config, levels = ours.experiment, ours.data.train.levels
    if (config.loss, config.label_smoothing, config.discriminator_steps) != SUPPORTED:
        raise ValueError(f"the peer has {SUPPORTED}, not these losses, labels and steps")
    model = config.model
    players = Players(ours.params, model.discriminator_dropout, model.latent_size)
    d_update, g_update = (
        theirs.make_update(loss, player, optimizer, compiled=compiled)
        for loss, player, optimizer in (
            (players.discriminator_loss, players.discriminator, config.discriminator_optimizer),
            (players.generator_loss, players.generator, config.generator_optimizer),
        )
    )

    def step(arrays, indices, noise):
        image = theirs.images(arrays, indices, levels)
        d_loss = d_update(image, noise)
        players.discriminator.requires_grad_(False)  # its gradient is not wanted here: less work
        g_loss = g_update(len(image), noise)
        players.discriminator.requires_grad_(True)
        return {"discriminator_loss": d_loss, "generator_loss": g_loss}

    return step
