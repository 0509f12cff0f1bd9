"""The FLOPs of a real program, from its jaxpr; the only part of the room that imports jax."""
