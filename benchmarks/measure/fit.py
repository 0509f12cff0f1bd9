"""How cost grows: the exponent p of y = c · x^p, by least squares on logarithms."""

import math
from collections.abc import Sequence


def fitted_exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """p; needs two different x, all numbers above 0."""
    u, v = [math.log(each) for each in x], [math.log(each) for each in y]
    mean_u, mean_v = sum(u) / len(u), sum(v) / len(v)
    spread = sum((each - mean_u) ** 2 for each in u)
    return sum((a - mean_u) * (b - mean_v) for a, b in zip(u, v, strict=True)) / spread
