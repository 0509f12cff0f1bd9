"""A language experiment's fields to its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.families.base import Trained
from jaxgen.families.language.evaluation import make_language_evaluation
from jaxgen.families.language.lora import init_adapters, merged
from jaxgen.families.language.objective import empty_extra, make_language_loss, make_stateful_loss
from jaxgen.families.language.sampling import prompt_tokens, sample_text, settings_of, stream_text
from jaxgen.training.optimizer import make_optimizer
from jaxgen.training.state import Weights
from jaxgen.training.task import Task, one_player

if TYPE_CHECKING:
    from jaxgen.data import TextSpec
    from jaxgen.families.language.family import Language


def build_task(experiment: Language, spec: TextSpec, start: Trained | None) -> Task:
    """The functions that train and try the model; `start` is the run that it begins with, if any.

    With LoRA the trained parameters are the adapters, and the model that they correct is `extra`.
    """
    config, sampling, lora = experiment.model, experiment.sampling, experiment.lora
    model, window = config.make(spec.vocab_size), config.max_seq_len
    # What cannot be read is refused before training.
    prompt_tokens(spec, sampling, window)
    settings_of(spec, sampling)
    base = None if start is None else _fitting(start, spec, model, experiment)

    def init(key):
        if base is not None and lora.rank:
            return Weights(
                {"adapters": init_adapters(key, base, lora)}, jax.tree.map(jnp.copy, base)
            )
        tokens = jnp.zeros((1, experiment.seq_len), jnp.int32)
        params = (
            jax.tree.map(jnp.copy, base) if base is not None else model.init(key, tokens)["params"]
        )
        stateful = experiment.stateful
        return Weights(params, empty_extra(model, experiment.batch_size) if stateful else None)

    def params_of(weights):
        if not lora.rank:
            return weights.params
        return merged(weights.extra, weights.params["adapters"], lora)

    chunk = experiment.loss_chunk
    plain = make_stateful_loss(model) if experiment.stateful else make_language_loss(model, chunk)

    def adapted_loss(params, extra, batch, keys):
        loss, aux = plain(params_of(Weights(params, extra)), None, batch, keys)
        return loss, aux._replace(extra=extra)

    judge = make_language_evaluation(model, stateful=experiment.stateful)

    def sample(weights, key, path):
        return sample_text(model, window, params_of(weights), key, path, spec, sampling)

    def stream(weights, key):
        return stream_text(model, window, params_of(weights), key, spec, sampling)

    return one_player(
        init,
        adapted_loss if lora.rank else plain,
        make_optimizer(experiment.optimizer),
        **experiment.step_options,
        evaluate=lambda weights, held_out: judge(Weights(params_of(weights)), held_out),
        sample=sample,
        stream=stream,
        model_axes=config.model_axes,
        best="eval/loss",
        apply=lambda weights, tokens: model.apply({"params": params_of(weights)}, tokens),
        **_exchange(experiment, spec, params_of),
    )


def _fitting(start: Trained, spec: TextSpec, model: Any, experiment: Language) -> Any:
    """The parameters to begin with; a UserError where they are of another model or vocabulary."""
    name = f"--start.run {experiment.start.run}"
    if start.spec.tokenizer != spec.tokenizer:
        raise UserError(
            f"{name} has another vocabulary than this text gives: train both with --tokenizer bytes, or "
            "on texts of the same characters."
        )
    tokens = jnp.zeros((1, experiment.seq_len), jnp.int32)
    wanted = jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]
    shapes = jax.tree.map(lambda leaf: leaf.shape, start.weights.params)
    if shapes != jax.tree.map(lambda leaf: leaf.shape, wanted):
        raise UserError(f"{name} is of another model than --model describes: give its sizes.")
    return start.weights.params


def _exchange(experiment: Language, spec: TextSpec, params_of: Any) -> dict[str, Any]:
    """Weights by the names under which others know them, of models that others have."""
    from jaxgen.models.gpt.config import GPTConfig
    from jaxgen.models.gpt.exchange import from_tensors, to_tensors

    config = experiment.model
    if not isinstance(config, GPTConfig):
        return {}
    return {
        "export": lambda weights: to_tensors(params_of(weights), config),
        "adopt": lambda tensors, source: from_tensors(tensors, config, spec.vocab_size, source),
    }
