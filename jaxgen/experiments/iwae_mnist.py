"""The importance-weighted autoencoder of two stochastic layers, on MNIST."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.vae.family import VAE
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="The importance-weighted autoencoder of two layers, K = 50, on drawn MNIST.",
    papers=("Burda et al. 2016, table 1",),
    notes="The paper's -log p by 5,000 draws, pixels drawn anew (dynamic): 82.90 with these two layers "
    "and K = 50; one layer (--model mlp_vae sizes 200-200-50) has 86.76 with K = 1 and 84.78 with 50. "
    "Not run here. The paper trains 3,280 epochs with a falling rate, batches of 20.",
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
