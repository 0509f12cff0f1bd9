"""One experiment per file: a frozen dataclass that wires data, model, objective and engine."""
