"""Sources, tokenizers and batching: real data as NumPy arrays with an order that can be resumed."""

from jaxgen.data.datasets import Batch, Dataset, Images, Tokens
from jaxgen.data.order import Batches, Order
from jaxgen.data.sources import load
from jaxgen.data.specs import Data, ImageSpec, TextSpec, spec_from_json
from jaxgen.data.tokenizers import (
    ByteTokenizer,
    CharacterTokenizer,
    Tokenizer,
    WordTokenizer,
    tokenizer_from_json,
)

__all__ = [
    "Batch",
    "Batches",
    "ByteTokenizer",
    "CharacterTokenizer",
    "Data",
    "Dataset",
    "ImageSpec",
    "Images",
    "Order",
    "TextSpec",
    "Tokenizer",
    "Tokens",
    "WordTokenizer",
    "load",
    "spec_from_json",
    "tokenizer_from_json",
]
