"""WaveNet: a stack of dilated causal convolutions over samples of sound."""
