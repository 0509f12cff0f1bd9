"""`jaxgen tokenize TEXT ... --out FILE`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from jaxgen.cli.parsing import parse
from jaxgen.errors import UserError


@dataclass(frozen=True)
class TokenizeOptions:
    """Turn texts into a file of tokens, a few megabytes at a time; train on it by --data tokens:FILE."""

    texts: tyro.conf.Positional[tuple[Path, ...]]
    """UTF-8 files, each of which is one document."""
    out: Path
    """The file to write. What a killed call has left is gone on with."""
    tokenizer: str = "bytes"
    """What a token is: characters, bytes, words; bpe:SIZE; gpt2:FOLDER with GPT-2's vocab.bpe and
    encoder.json. Characters, words and bpe make a vocabulary of all texts first."""
    eos: bool = False
    """Put the end of text behind each text: <EOS> of words, <|endoftext|> of gpt2."""


def tokenize(args: list[str]) -> None:
    """Turn texts into a file of tokens: jaxgen tokenize TEXT... --out FILE."""
    options = parse(TokenizeOptions, args, "jaxgen tokenize")
    if not options.texts:
        raise UserError("Name a text first: jaxgen tokenize TEXT... --out FILE.")
    from jaxgen.data.text.by_name import parts_of

    kind, _ = parts_of(options.tokenizer)
    if options.eos and kind not in ("words", "gpt2"):
        raise UserError(
            f"--eos: {options.tokenizer} has no end of text; choose --tokenizer words or gpt2:FOLDER."
        )
    if options.out.exists():
        raise UserError(f"{options.out} exists: give another --out, or take it away first.")
    from jaxgen.data.progress import printed
    from jaxgen.data.text.streams import tokenizer_of, whole
    from jaxgen.data.text.token_file import open_tokens, write_tokens

    texts = [whole(path) for path in options.texts]
    tokenizer = tokenizer_of(options.tokenizer, texts, printed("reading"))
    try:
        write_tokens(options.out, texts, tokenizer, eos=options.eos, tell=printed("tokenizing"))
    except OSError as error:
        raise UserError(
            f"{options.out} cannot be written ({error.strerror}): give another --out."
        ) from error
    written = open_tokens(options.out)
    print(f"{len(written.tokens):,} tokens of {tokenizer.vocab_size:,} kinds in {options.out}")
