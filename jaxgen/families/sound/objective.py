"""A model of sound with the cost of each next sample, in nats."""

from collections.abc import Callable

from jaxgen.families.sound.module import SoundModel
from jaxgen.families.sound.output import Output
from jaxgen.training.gradient import Aux
from jaxgen.training.metrics import Mean


def make_sound_loss(model: SoundModel, output: Output) -> Callable:
    """`loss(params, extra, batch, keys)`: nats per sample of batch['wave'] (B, T + 1) but the first.

    Where they are there, batch['features'] (B, frames, C) and batch['label'] (B,) are told to the model.
    """

    def loss(params, extra, batch, keys):
        nats = window_nats(model, output, params, batch)
        return nats.mean(), Aux({"loss": Mean.of(nats)}, extra)

    return loss


def window_nats(model: SoundModel, output: Output, params, batch):
    """−log p of samples 1 .. T of each window, given those before them: (B, T)."""
    signal = output.signal(batch["wave"])
    told = (batch.get("features"), batch.get("label"))
    outputs = model.apply({"params": params}, signal[:, :-1], *told)
    return output.nats(outputs, signal[:, 1:])
