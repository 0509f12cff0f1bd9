"""What the mathematics costs: FLOPs, bytes and parameters from sizes alone, in plain integers."""
