"""Text to image on digits: a transformer over the words of a caption, then its image's codes."""

from jaxgen.experiments.preset import Expected, Preset
from jaxgen.families.base import FromRun
from jaxgen.families.text_image.config import PromptSampling
from jaxgen.families.text_image.family import TextToImage
from jaxgen.models.gpt.config import modern_gpt
from jaxgen.training.config import OptimizerConfig

PRESET = Preset(
    summary="Digits from words such as 'a seven', by a transformer over words and codes.",
    papers=("Ramesh et al. 2021 (DALL-E)", "Gafni et al. 2022 (guidance of tokens)"),
    notes="Needs runs of vqvae-digits and classifier-digits. eval/as_asked is of one image a caption, "
    "none chosen. Try jaxgen sample RUN --prompt 'a seven' --candidates 8.",
    expected={
        "eval/as_asked[classifier-digits]": Expected(0.984, 0.012),
        "eval/worst_class[classifier-digits]": Expected(0.96, 0.03),
    },
    minutes=2.0,
    source="seeds 0, 1 here; guidance, temperature and codes chosen by held-out captions: it flatters",
    experiment=TextToImage(
        steps=1200,
        batch_size=64,
        data="captioned-digits",
        codes=FromRun("vqvae-digits"),
        judge=FromRun("classifier-digits"),
        model=modern_gpt(num_layers=3, model_size=96, hidden_size=384, max_seq_len=19),
        optimizer=OptimizerConfig(
            learning_rate=2e-3, schedule="cosine", decay_steps=1200, warmup_steps=100,
            weight_decay=0.1,
        ),
        sampling=PromptSampling(guidance=1.25, temperature=0.5),
        log_every=100,
        checkpoint_every=600,
        eval_every=1200,
    ),
)  # fmt: skip
