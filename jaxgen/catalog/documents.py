"""The five documents: what each is, so that "003, 4.1" leads somewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Document:
    """One of the documents, which are articles in Chinese.

    Attributes:
      number: as the catalogue cites it. title: as printed, '' where none is.
      english: the title, translated, or what stands for it. about: one sentence on what it is.
    """

    number: str
    title: str
    english: str
    about: str


DOCUMENTS: Mapping[str, Document] = MappingProxyType(
    {
        document.number: document
        for document in (
            Document(
                "000",
                "AI掘金时代：如何抓住生成式AI的风口？",
                "The AI gold rush: how to catch the wind of generative AI",
                "A survey for business, with the objectives of GANs and VAEs and a few lines of GPT-2.",
            ),
            Document(
                "001",
                "生成式AI的未来发展路径",
                "Where generative AI is going",
                "A survey of its future, with the GAN's two losses, the training loop and a skeleton.",
            ),
            Document(
                "002",
                "生成式AI：颠覆传统，重塑未来商业模式",
                "Generative AI: overturning tradition, remaking business",
                "A survey with the VAE from encoder to bound, and a GAN of handwritten digits in code.",
            ),
            Document(
                "003",
                "生成式AIGC是金矿还是泡沫：不拥抱AI的企业肯定会被淘汰",
                "Is generative AI a gold mine or a bubble?",
                "The longest: attention in steps and numbers, GANs by Wasserstein's distance, WaveNet, "
                "and a recurrent language model in code.",
            ),
            Document(
                "004",
                "",
                "(no title; generative AI in companies)",
                "A survey for companies, with the GAN's two players, their losses and an optimiser.",
            ),
        )
    }
)
