"""Text to image on scenes of shapes, with combinations that training never shows."""

from jaxgen.experiments.preset import Preset
from jaxgen.families.base import FromRun
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.families.text_image.family import TextToImage
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Scenes from 'a small red circle left of a blue square', by words and codes.",
    papers=("Ramesh et al. 2021 (DALL-E)", "Gafni et al. 2022 (guidance of tokens)"),
    notes="Needs runs of vqvae-shapes and classifier-shapes. Half of what it is asked in the end has a "
    "combination of colour, shape and size that no training image has. So far it fails: after 1,000 "
    "steps 0.44 of seen scenes were right, 0 of the others; small circles and squares share codes.",
    minutes=8.0,
    experiment=TextToImage(
        steps=1500,
        batch_size=32,
        data="shapes",
        codes=FromRun("vqvae-shapes"),
        judge=FromRun("classifier-shapes"),
        model=modern_gpt(num_layers=3, model_size=128, hidden_size=512, max_seq_len=74),
        optimizer=OptimizerConfig(
            name="muon", learning_rate=3e-3, beta2=0.99, weight_decay=0.1, clip_norm=1.0,
            warmup_steps=100, schedule="linear", decay_steps=1500,
        ),
        sampling=PromptSampling(guidance=1.5, temperature=0.7),
        log_every=100,
        checkpoint_every=500,
        eval_every=1500,
        steps_per_dispatch=10,
    ),
)  # fmt: skip
