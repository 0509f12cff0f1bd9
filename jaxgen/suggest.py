"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Iterable, Mapping


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The choice most like the name, None where none is like it by the cutoff.

    Args:
      name: what was asked for. choices: what there is.
      cutoff: from 0, where the nearest is named however far it is, to 1, where only the same name is.
        difflib's ratio, twice the characters in common over those of both.
    """
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=cutoff)
    return found[0] if found else None


MOST_CHARACTERS, MOST_NAMES = 320, 4
"""Of what a sentence lists: all names up to so many characters, else so many of them."""

WORDS = {
    "bce": "discriminator loss", "cfg": "guidance", "ddpm": "posterior", "edm": "preconditioning",
    "iwae": "importance weighted", "layernorm": "layer norm", "lsgan": "least squares",
    "mu-law": "companding", "nll": "cross entropy", "ode": "probability flow",
    "rmsnorm": "rms norm", "rope": "rotary", "sdpa": "scaled dot product", "softmax": "weights",
    "vlb": "bound", "vq": "commitment", "wgan": "wasserstein", "wgan-gp": "gradient penalty",
}  # fmt: skip
"""What people look for, and the words of ours that mean it."""


def alike(name: str, choices: Mapping[str, str] | Iterable[str]) -> list[str]:
    """The choices most like a name, the likest first.

    Those that hold it, then those of its meaning, also by the text beside each where `choices` has one,
    then by their letters.
    """
    texts = dict(choices) if isinstance(choices, Mapping) else dict.fromkeys(choices, "")
    asked = name.lower().replace("_", "-").strip()
    words = WORDS.get(asked, asked).replace("-", " ").split()

    def rank(choice: str) -> tuple[int, float]:
        said = f"{choice} {texts[choice]}".lower().replace("-", " ")
        ratio = difflib.SequenceMatcher(None, asked, choice).ratio()
        is_like = ratio > 0.8, asked and asked in choice, words and all(w in said for w in words)
        return next((i for i, holds in enumerate(is_like) if holds), 3), -ratio

    return sorted(texts, key=rank)[:MOST_NAMES]


def did_you_mean(
    name: str, choices: Iterable[str], cutoff: float = 0.5, listed_by: str = ""
) -> str:
    """The end of a sentence: the nearest choice, where there is one, and all of them.

    Where they are many only those most like the name; `listed_by` is the command that prints all.
    """
    choices = list(choices)
    if len(known := ", ".join(choices)) <= MOST_CHARACTERS:
        near = nearest(name, choices, cutoff)
        return f"did you mean {near}? (known are {known})" if near else f"known are {known}"
    all_of_them = f"{listed_by} lists all {len(choices)}" if listed_by else f"of {len(choices)}"
    first, *others = alike(name, choices)
    if name.lower() in first or nearest(name, [first], cutoff):
        return f"did you mean {first}? (or {', '.join(others)}; {all_of_them})"
    return f"the likest are {', '.join([first, *others])}; {all_of_them}"
