"""The sizes and flavour of a GPT; apart from its module so that help and costs need no jax."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxgen.errors import UserError, check
from jaxgen.models.base import ModelConfig


@dataclass(frozen=True)
class GPTConfig(ModelConfig):
    """A decoder-only transformer; the defaults are the GPT-2 form (Radford et al. 2019)."""

    num_layers: int = 4
    """L, transformer blocks."""
    num_heads: int = 4
    """N, attention heads; must divide model_size."""
    model_size: int = 128
    """D, the residual stream's width."""
    hidden_size: int = 512
    """F, the feed-forward layer's width."""
    max_seq_len: int = 64
    """The longest sequence, in tokens, that the model takes."""
    positions: Literal["learned", "rotary"] = "learned"
    """A learned vector per position, or rotation of queries and keys (Su et al. 2021)."""
    norm: Literal["layer", "rms"] = "layer"
    """LayerNorm with scale and bias, or RMSNorm without parameters."""
    activation: Literal["gelu", "squared-relu"] = "gelu"
    """The feed-forward layer's non-linearity; gelu in its tanh form, as GPT-2 has it."""
    query_key_norm: bool = False
    """RMS-normalise queries and keys before their product (after Henry et al. 2020: L2 norm, learned
    scale)."""
    use_bias: bool = True
    """Biases in the projections."""
    tied_head: bool = True
    """The output projection is the token embedding, transposed (Press & Wolf 2017)."""
    init: Literal["gpt2", "zero-outputs"] = "gpt2"
    """Normal(0.02) with residual outputs scaled by 1/sqrt(2L); or normal(1/sqrt(fan-in)) with every
    block's output and an untied head zero, so that the first loss is then log V exactly."""
    attention: Literal["auto", "literal", "blockwise", "fused"] = "auto"
    """The equation as it stands; in blocks, memory linear in the length; the platform's kernel; or the
    best of them for the length and the platform."""
    dropout: float = 0.0
    """Probability of dropping a unit while training."""
    drop_weights: bool = True
    """Dropout of the attention weights too, as in the GPT-2 code; it needs them whole."""
    remat: bool = False
    """Recompute each block's activations in the backward pass instead of keeping them."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of the matmuls; parameters, softmax, norms and losses stay float32."""

    def __post_init__(self):
        for name in ("num_layers", "num_heads", "model_size", "hidden_size", "max_seq_len"):
            check(self, name, lambda x: x >= 1, "1 or more", "model.")
        check(self, "dropout", lambda x: 0 <= x < 1, "0 or more, below 1", "model.")
        if self.model_size % self.num_heads:
            raise UserError(
                f"--model.model-size {self.model_size} is not a multiple of --model.num-heads "
                f"{self.num_heads}: change one of them."
            )
        if self.positions == "rotary" and self.head_size % 2:
            raise UserError(
                f"--model.positions rotary turns pairs, but the head size "
                f"{self.model_size}/{self.num_heads} = {self.head_size} is odd: change one of them."
            )
        if self.weights_dropout and self.attention in ("blockwise", "fused"):
            raise UserError(
                f"--model.attention {self.attention} holds no weights for --model.dropout "
                f"{self.dropout} to drop: choose auto or literal, or --model.no-drop-weights."
            )

    recurrent = False
    """It has no state to go on from."""

    @property
    def weights_dropout(self) -> float:
        """Probability of dropping an attention weight."""
        return self.dropout if self.drop_weights else 0.0

    @property
    def head_size(self) -> int:
        """H = D / N."""
        return self.model_size // self.num_heads

    def make(self, vocab_size: int) -> Any:
        """The module for so many different tokens."""
        from jaxgen.models.gpt.model import GPT

        return GPT(self, vocab_size)

    @property
    def model_axes(self) -> dict[str, int]:
        """The axis of each parameter that may be split over devices.

        With no more than one sum for each part of a block (Shoeybi et al. 2019, section 3,
        https://arxiv.org/abs/1909.08053).
        """
        return {
            r"attention/(query|key|value)/kernel": 1,  # (D, N, H): heads
            r"attention/(query|key|value)/bias": 0,  # (N, 1, H)
            r"attention/out/kernel": 0,  # (N, H, D)
            r"mlp/in/kernel": 1,  # (D, F): hidden features
            r"mlp/in/bias": 0,  # (F,)
            r"mlp/out/kernel": 0,  # (F, D)
        }

    @property
    def width(self) -> int:
        """D."""
        return self.model_size

    def scaled(self, *, width: int | None = None, depth: int | None = None) -> "GPTConfig":
        """D = width and F = 4·D, or L = depth blocks."""
        sizes = {} if width is None else {"model_size": width, "hidden_size": 4 * width}
        return replace(self, **sizes, **({} if depth is None else {"num_layers": depth}))

    def costs(self, **sizes: int) -> Any:
        """The rows of batch_size sequences of seq_len tokens out of vocab_size, up to the logits."""
        from jaxgen.models.gpt.costs import gpt_rows

        return gpt_rows(self, **sizes)


def modern_gpt(**sizes) -> GPTConfig:
    """The modern form: rotary positions, RMSNorm, query/key norm, squared ReLU, zero outputs.

    Sources: Su et al. 2021 (rotary), Zhang & Sennrich 2019 (RMSNorm), Henry et al. 2020 (query/key
    norm), So et al. 2021 (squared ReLU), Zhang et al. 2019 (zero-initialised outputs).
    """
    return GPTConfig(
        positions="rotary",
        norm="rms",
        activation="squared-relu",
        query_key_norm=True,
        use_bias=False,
        tied_head=False,
        init="zero-outputs",
        drop_weights=False,
        **sizes,
    )
