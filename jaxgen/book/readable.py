r"""Formulas in LaTeX as one line of text, for terminals: `\frac{\alpha_t}{2}` is `α_t / 2`."""

import re
import sys
import unicodedata

SIGNS = {
    "approx": "≈", "cdot": "·", "ell": "l", "epsilon": "ε", "in": "∈", "int": "∫", "le": "≤",
    "leftarrow": "←", "leq": "≤", "nabla": "∇", "ne": "≠", "odot": "⊙", "partial": "∂",
    "propto": "∝", "sim": "~", "sum": "Σ", "varepsilon": "ε", "Vert": "‖",
}  # fmt: skip
ASCII = {
    "≈": "~=", "·": ".", "ε": "eps", "∈": "in", "∫": "int ", "≤": "<=", "←": "<-", "∇": "grad",
    "≠": "!=", "⊙": "*", "∂": "d", "∝": "~", "Σ": "sum", "‖": "||", "√": "sqrt ", "̂": "^", "̄": "-",
}  # fmt: skip
LAYOUT = ("left", "right", "big", "quad", "begin", "end")
MARKS = {"hat": "\u0302", "bar": "\u0304"}  # they follow their letter
PLAIN = ("text", "mathcal", "mathbb")
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_&]|\s+|[^\\{}^_&\s]")


def readable(latex: str, *, ascii_only: bool = False) -> str:
    """The formula as text: Greek letters and signs, fractions by /, and no braces."""
    text = _row(_TOKEN.findall(latex))
    text = re.sub(r" +", " ", text).strip().replace("( ", "(").replace(" )", ")")
    text = re.sub(r" ([,;)\]])", r"\1", text)
    return re.sub(r" +", " ", "".join(map(_plain, text))) if ascii_only else text


def speaks_ascii_only(encoding: str | None = None) -> bool:
    """Whether standard output cannot take Greek letters."""
    try:
        "α∑√\u0302".encode(encoding or sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _plain(character: str) -> str:
    if character.isascii():
        return character
    name = unicodedata.name(character, "")
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name)
    if greek and character not in ASCII:
        letter = greek[2].lower().replace("lamda", "lambda")
        return letter.title() if greek[1] == "CAPITAL" else letter
    return ASCII.get(character, "?")


def _row(tokens: list[str]) -> str:
    """The text of tokens, which are used up to the brace that closes them."""
    parts: list[str] = []
    while tokens and tokens[0] != "}":
        parts.append(_one(tokens))
    return "".join(parts)


def _one(tokens: list[str]) -> str:
    token = tokens.pop(0)
    if token == "{":
        text = _row(tokens)
        del tokens[:1]
        return text
    if token in "^_":
        inner = _argument(tokens)
        return token + (inner if len(inner) == 1 or inner.isalnum() else f"({inner})")
    if token == "&":
        return ", "
    if not token.startswith("\\"):
        return " " if token.isspace() else token
    return _command(token[1:], tokens)


def _command(name: str, tokens: list[str]) -> str:
    if name in ("frac", "tfrac"):
        above, below = (_bracketed(_argument(tokens)) for _ in range(2))
        return f"{above}/{below} " if len(above + below) == 2 else f"{above} / {below} "
    if name == "sqrt":
        return f"√{_bracketed(_argument(tokens))}"
    if name in PLAIN:
        return _argument(tokens)
    if name in MARKS:
        return _argument(tokens) + MARKS[name]
    if name in ("begin", "end"):
        _argument(tokens)  # what is laid out
        return "[" if name == "begin" else "]"
    if name in LAYOUT:
        return "   " if name == "quad" else ""
    if name in SIGNS:
        return SIGNS[name]
    if not name.isalpha():
        return {"\\": "; ", "_": "_"}.get(name, " ")
    try:
        kind = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {kind} LETTER {name.replace('lambda', 'lamda')}")
    except KeyError:  # log, exp, max: a function, set off from what it is of
        letter = bool(tokens) and (tokens[0].isalnum() or tokens[0].startswith("\\"))
        return name + (" " if letter else "")


def _argument(tokens: list[str]) -> str:
    while tokens and tokens[0].isspace():
        tokens.pop(0)
    return _one(tokens) if tokens else ""


def _bracketed(text: str) -> str:
    return text if re.fullmatch(r"√?[\w^'̂̄]+|\(\w+\)", text) else f"({text})"
