"""Every value that a model cannot have is refused, with the flag that gave it."""

import pytest

from jaxgen.errors import UserError
from jaxgen.models.conv_vae.config import ConvVAEConfig
from jaxgen.models.gpt.config import GPTConfig, modern_gpt
from jaxgen.models.mlp_gan.config import MLPGANConfig
from jaxgen.models.mlp_vae.config import MLPVAEConfig
from jaxgen.models.two_layer_vae.config import TwoLayerVAEConfig


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (GPTConfig, {"num_layers": 0}, "--model.num-layers is 0: give 1 or more."),
        (GPTConfig, {"num_heads": 0}, "--model.num-heads is 0: give 1 or more."),
        (GPTConfig, {"model_size": -4}, "--model.model-size is -4: give 1 or more."),
        (GPTConfig, {"hidden_size": 0}, "--model.hidden-size is 0: give 1 or more."),
        (GPTConfig, {"max_seq_len": 0}, "--model.max-seq-len is 0: give 1 or more."),
        (GPTConfig, {"dropout": 1.0}, "--model.dropout is 1.0: give 0 or more, below 1."),
        (GPTConfig, {"dropout": -0.1}, "--model.dropout is -0.1: give 0 or more, below 1."),
        (
            GPTConfig,
            {"model_size": 10, "num_heads": 3},
            "--model.model-size 10 is not a multiple of --model.num-heads 3: change one of them.",
        ),
        (
            modern_gpt,
            {"model_size": 15, "num_heads": 3},
            "--model.positions rotary turns pairs, but the head size 15/3 = 5 is odd: change one "
            "of them.",
        ),
        (MLPVAEConfig, {"latent_size": 0}, "--model.latent-size is 0: give 1 or more."),
        (
            MLPVAEConfig,
            {"hidden_sizes": (3, 0)},
            "--model.hidden-sizes is (3, 0): give widths of 1 or more.",
        ),
        (
            TwoLayerVAEConfig,
            {"upper_hidden_sizes": ()},
            "--model.upper-hidden-sizes is (): give widths of 1 or more.",
        ),
        (TwoLayerVAEConfig, {"upper_size": 0}, "--model.upper-size is 0: give 1 or more."),
        (ConvVAEConfig, {"channels": ()}, "--model.channels is (): give widths of 1 or more."),
        (
            ConvVAEConfig,
            {"kernel_size": 1},
            "--model.kernel-size is 1: give 2 or more, the stride.",
        ),
        (ConvVAEConfig, {"latent_size": 0}, "--model.latent-size is 0: give 1 or more."),
        (MLPGANConfig, {"latent_size": 0}, "--model.latent-size is 0: give 1 or more."),
        (
            MLPGANConfig,
            {"generator_sizes": ()},
            "--model.generator-sizes is (): give widths of 1 or more.",
        ),
        (
            MLPGANConfig,
            {"discriminator_sizes": (0,)},
            "--model.discriminator-sizes is (0,): give widths of 1 or more.",
        ),
        (
            MLPGANConfig,
            {"discriminator_dropout": 1.0},
            "--model.discriminator-dropout is 1.0: give 0 or more, below 1.",
        ),
    ],
)
def test_the_error_names_the_flag_and_the_remedy(config, values, message):
    with pytest.raises(UserError) as error:
        config(**values)
    assert str(error.value) == message


def test_odd_heads_are_allowed_where_nothing_turns():
    assert GPTConfig(model_size=15, num_heads=3).head_size == 5
