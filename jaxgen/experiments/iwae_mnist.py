"""The importance-weighted autoencoder of two stochastic layers, on MNIST."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="The importance-weighted autoencoder of two layers, K = 50, on drawn MNIST.",
    papers=("Burda et al. 2016, table 1",),
    notes="Not run here. The paper's -log p by 5,000 draws, pixels drawn anew (dynamic): 82.90 with "
    "these two layers and K = 50; with one layer, 784-200-200-50, 86.76 for K = 1 and 84.78 for "
    "K = 50. It trains for 3,280 epochs in batches of 20; here are 333 of them.",
    experiment=VAE(
        steps=1_000_000,
        batch_size=20,
        data="tfds:mnist",
        binarise="draw",
        estimator="iwae",
        samples=50,
        judge_samples=5000,
        model=TwoLayerVAEConfig(),
        optimizer=OptimizerConfig(
            learning_rate=1e-3, schedule="cosine", decay_steps=1_000_000, end_fraction=0.1
        ),
        log_every=1000,
        checkpoint_every="10m",
        eval_every=1_000_000,
    ),
)
