"""Drawing's peer: Hugging Face's `generate` with its cache, on our weights under GPT-2's names.

A step is one more token of each text, so that times are of a token. Both sides read the same prompts and
take the most probable token each time; ours is also timed without its cache, reading each text anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
from jax import lax

from jaxgen.families.language.decoding import Drawn, Settings, draw_tokens
from jaxgen.models.gpt.config import GPTConfig
from jaxgen.models.gpt.exchange import PREFIX, to_tensors

VOCABULARY = 65
PROMPT = 16  # tokens that are given
NEW = 48  # tokens that are drawn
MODEL = GPTConfig(max_seq_len=PROMPT + NEW)  # the size of `gpt-shakespeare-classic`
GREEDY = Settings(temperature=0.0)
TOLERANCE = 1e-4
"""Of log-probabilities, as the logits' of the imported model; 1e-5 is usual."""


@dataclass(frozen=True)
class Texts:
    """So many texts at once."""

    batch_size: int


CASES = {"decode-1": Texts(1), "decode-16": Texts(16)}


class Ours:
    """Texts drawn by our compiled loop."""

    size = NEW

    def __init__(self, batch_size: int):
        self.experiment = Texts(batch_size)  # of which the table has the batch size
        self.model = MODEL.make(VOCABULARY)
        self.params = random_params(self.model)
        rng = np.random.default_rng(0)
        self.prompts = rng.integers(0, VOCABULARY, (batch_size, PROMPT), np.int32)
        self._keys = jax.random.split(jax.random.key(0), batch_size)

    @property
    def flops(self) -> int:
        """Of a token's matmuls, but for attention to the tokens before it."""
        sizes = {"batch_size": self.experiment.batch_size, "seq_len": 1}
        rows = MODEL.costs(**sizes, vocab_size=VOCABULARY)
        return sum(row.flops("forward") for row in rows if row.kind == "matmul")

    def draw(self) -> Drawn:
        """One text behind each prompt."""
        prompts, window = list(self.prompts), MODEL.max_seq_len
        return draw_tokens(self.model, self.params, self._keys, prompts, NEW, GREEDY, window)

    def run(self, steps: int) -> None:
        """Draw so many tokens a text, in whole texts."""
        for _ in range(-(-steps // NEW)):
            jax.block_until_ready(self.draw())


class Uncached:
    """The same texts, each read from its beginning for every token."""

    size = NEW

    def __init__(self, ours: Ours):
        self._ours = ours

    def draw(self) -> np.ndarray:
        """The tokens behind each prompt."""
        ours = self._ours
        return np.asarray(read_again(ours.model, ours.params, jnp.asarray(ours.prompts)))

    def run(self, steps: int) -> None:
        """As ours."""
        for _ in range(-(-steps // NEW)):
            self.draw()


@partial(jax.jit, static_argnums=0)
def read_again(model: Any, params: Any, prompts: Any) -> Any:
    """The most probable NEW tokens behind prompts (B, P), by the logits of whole texts."""
    texts = jnp.pad(prompts, ((0, 0), (0, NEW)))

    def more(place, texts):
        logits = model.apply({"params": params}, texts)
        last = lax.dynamic_index_in_dim(logits, place - 1, axis=1, keepdims=False)
        return texts.at[:, place].set(jnp.argmax(last, axis=-1).astype(texts.dtype))

    return lax.fori_loop(PROMPT, PROMPT + NEW, more, texts)[:, PROMPT:]


class Theirs:
    """Texts by `generate`."""

    size = NEW

    def __init__(self, ours: Ours):
        self._prompts = torch.from_numpy(ours.prompts.astype(np.int64))
        self._model = their_model(to_tensors(ours.params, MODEL))

    def draw(self, **more: Any) -> Any:
        """What `generate` returns."""
        return self._model.generate(
            self._prompts, attention_mask=torch.ones_like(self._prompts), max_new_tokens=NEW,
            do_sample=False, use_cache=True, pad_token_id=0, **more,
        )  # fmt: skip

    def run(self, steps: int) -> None:
        """As ours."""
        for _ in range(-(-steps // NEW)):
            self.draw()


def random_params(model: Any) -> Any:
    """Norms' scales are 1, all else is ten times what it begins with, when texts repeat one token."""
    start = jnp.zeros((1, 1), jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), start)["params"]
    rng = np.random.default_rng(0)

    def drawn(path, leaf):
        if path[-1].key == "scale":
            return jnp.ones(leaf.shape)
        return jnp.asarray(0.2 * rng.standard_normal(leaf.shape, np.float32))

    return jax.tree_util.tree_map_with_path(drawn, shapes)


def their_model(tensors: Mapping[str, np.ndarray]) -> Any:
    """Their GPT-2 with our tensors."""
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=MODEL.max_seq_len, n_embd=MODEL.model_size,
        n_layer=MODEL.num_layers, n_head=MODEL.num_heads, n_inner=MODEL.hidden_size,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config).eval()
    given = {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
    missing, unknown = model.load_state_dict(given, strict=False)
    if unknown or set(missing) - {"lm_head.weight"} or not model.config.tie_word_embeddings:
        raise RuntimeError(f"their GPT-2 lacks {missing}, or does not know {unknown} of {PREFIX}")
    return model


def make_sides(case: str) -> tuple[Ours, dict[str, Any]]:
    """Ours, and the others by name: our own without the cache, and theirs, which nothing compiles."""
    ours = Ours(CASES[case].batch_size)
    return ours, {"uncached": Uncached(ours), "eager": Theirs(ours)}


def check(case: str, ours: Ours, others: Mapping[str, Any]) -> tuple[float, float]:
    """The largest differences of the log-probabilities of the first tokens, and of all.

    Raises RuntimeError where a text is another one, or a difference is beyond its tolerance.
    """
    drawn = jax.device_get(ours.draw())
    found = others["eager"].draw(return_dict_in_generate=True, output_logits=True)
    texts = {"uncached": others["uncached"].draw(), "eager": found.sequences[:, PROMPT:].numpy()}
    for name, tokens in texts.items():
        if not np.array_equal(tokens, drawn.tokens):
            raise RuntimeError(f"{case}: the texts of {name} are not ours")
    log_probs = torch.stack(found.logits, dim=1).log_softmax(dim=-1)
    chosen = torch.from_numpy(texts["eager"])[..., None]
    theirs = log_probs.gather(-1, chosen)[..., 0].numpy()
    own = own_log_probs(ours, drawn.tokens)
    difference = np.abs(own - theirs)
    if not difference.max() <= TOLERANCE:
        raise RuntimeError(f"{case}: log-probabilities differ by {difference.max():.1e}")
    return float(difference[:, 0].max()), float(difference.max())


def own_log_probs(ours: Ours, tokens: np.ndarray) -> np.ndarray:
    """Of the drawn tokens under our model; under greedy settings each would have probability 1."""
    texts = jnp.concatenate([ours.prompts, tokens], axis=1)
    logits = ours.model.apply({"params": ours.params}, texts)[:, PROMPT - 1 : -1]
    log_probs = jax.nn.log_softmax(logits)
    return np.asarray(jnp.take_along_axis(log_probs, tokens[..., None], axis=-1))[..., 0]
