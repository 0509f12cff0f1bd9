"""The score of images by what a classifier makes of them: sure of each, and of all classes together.

(1) exp(E_x KL(p(y|x) ‖ p(y))),  p(y) = E_x p(y|x)

Salimans et al. 2016, "Improved techniques for training GANs", section 4,
https://arxiv.org/abs/1606.03498. It is 1 where the classifier says the same of all, and the number of
classes at most; it knows nothing of real images, and says nothing of variety within a class.
"""

import numpy as np
from jaxtyping import Float


def inception_score(logits: Float[np.ndarray, "n V"]) -> float:
    """Eq. (1) over all n images at once; the paper's ten splits are a matter of reporting."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    p = np.exp(log_p)
    mean = p.mean(0)
    log_mean = np.log(np.where(mean > 0, mean, 1.0))
    return float(np.exp((p * (log_p - log_mean)).sum(1).mean()))
