"""The engine: state, optimiser, step, loop, checkpoints and logs; it is handed functions only."""
