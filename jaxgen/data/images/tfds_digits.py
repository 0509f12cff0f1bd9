"""The package's digits as a tensorflow-datasets builder, `tfds:jaxgen_digits`.

It needs neither network nor TensorFlow, since its features are plain tensors: an example of how to
give a set of one's own to tensorflow-datasets, and a way to test that path in full. Importing this
module registers the builder, and costs the import of tensorflow_datasets.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from jaxgen.data.images.dataset import Images
from jaxgen.data.images.digits import digits


class JaxgenDigits(tfds.core.GeneratorBasedBuilder):
    """1,797 handwritten digits, 8 × 8: `image` float32 in [0, 1] (grey level / 16) and `label`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The first release."}  # noqa: RUF012  (tensorflow-datasets' own form)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Tensor(shape=(8, 8, 1), dtype=np.float32),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            homepage="https://doi.org/10.24432/C50P49",
            license="CC BY 4.0",
            disable_shuffling=True,  # the order of the package's own file
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        train, test = digits()
        return {"train": self._generate_examples(train), "test": self._generate_examples(test)}

    def _generate_examples(self, part: Images) -> Iterator[tuple[int, dict[str, Any]]]:
        batch = part.take(part.arrays, np.arange(part.num_examples, dtype=np.int32))
        for key, (image, label) in enumerate(zip(batch["image"], batch["label"], strict=True)):
            yield key, {"image": image, "label": label}
