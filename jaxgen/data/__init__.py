"""Sources, tokenizers and batching: real data as NumPy arrays with an order that can be resumed."""

from jaxgen.data.arrays.kind import from_arrays
from jaxgen.data.audio.dataset import Waves
from jaxgen.data.audio.kind import AudioSpec
from jaxgen.data.datasets import Batch, Dataset
from jaxgen.data.images.dataset import Images
from jaxgen.data.images.kind import ImageSpec
from jaxgen.data.kind import Data
from jaxgen.data.order import Batches, InOrder, KeyedShuffle, Order, Shuffled, shuffled
from jaxgen.data.sources import load, spec_from_json
from jaxgen.data.text.dataset import Tokens
from jaxgen.data.text.kind import TextSpec
from jaxgen.data.text.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    Tokenizer,
    WordTokenizer,
    tokenizer_from_json,
)

__all__ = [
    "AudioSpec",
    "Batch",
    "Batches",
    "ByteTokenizer",
    "CharacterTokenizer",
    "Data",
    "Dataset",
    "ImageSpec",
    "Images",
    "InOrder",
    "KeyedShuffle",
    "Order",
    "Shuffled",
    "TextSpec",
    "Tokenizer",
    "Tokens",
    "Waves",
    "WordTokenizer",
    "from_arrays",
    "load",
    "shuffled",
    "spec_from_json",
    "tokenizer_from_json",
]
