"""A long text as tokens in the cache: made once for a text and a tokenizer, then found again."""

import hashlib
import shutil
import sys
from pathlib import Path

from jaxgen.data.cache import cache_folder, only_one
from jaxgen.data.progress import printed
from jaxgen.data.reading import as_path, plain_errors
from jaxgen.data.text.bpe import gpt2_tokenizer
from jaxgen.data.text.by_name import parts_of
from jaxgen.data.text.streams import Stretch, survey, tokenizer_of
from jaxgen.data.text.token_file import FileTokens, open_tokens, tokenizer_digest, write_tokens
from jaxgen.data.text.tokenizers import Tokenizer
from jaxgen.errors import UserError


def cached_tokens(text: Stretch, tokenizer: str) -> tuple[FileTokens, FileTokens]:
    """The training and the held-out tokens of a text, from the cache, or else put there first.

    The key is SHA-256 of the text, and the tokenizer's name; of GPT-2's files their merges too. Raises
    UserError where the text or the tokenizer is wrong.
    """
    folder = cache_folder() / f"tokens-{_sha256(text)[:32]}-{_key(tokenizer)}"
    with only_one(folder):
        try:
            if folder.exists():
                return _opened(folder)
        except UserError as error:
            print(f"{folder} is damaged and made anew ({error})", file=sys.stderr)
        return _made(folder, text, tokenizer)


def _key(tokenizer: str) -> str:
    """A name for a folder; a UserError where there is no such tokenizer."""
    kind, argument = parts_of(tokenizer)
    if kind == "gpt2":
        argument = tokenizer_digest(gpt2_tokenizer(as_path(argument)))[:32]
    return f"{kind}-{argument}" if argument else kind


def _opened(folder: Path) -> tuple[FileTokens, FileTokens]:
    """Both parts, if they are what was written."""
    parts = open_tokens(folder / "train.tokens"), open_tokens(folder / "val.tokens")
    with plain_errors(folder / "digests.txt"):
        kept = (folder / "digests.txt").read_text(encoding="utf-8", errors="replace").split()
    if kept != [part.tokens.digest() for part in parts]:
        raise UserError("its tokens are not those that were written")
    return parts


def _made(folder: Path, text: Stretch, tokenizer: str) -> tuple[FileTokens, FileTokens]:
    draft = folder.with_name(folder.name + ".part")
    draft.mkdir(exist_ok=True)
    found = survey(text, printed(f"reading {text.path}"))
    # As in memory: characters are those of the whole text, words those of the training part.
    made: Tokenizer = found.tokenizer
    if tokenizer != made.name:
        made = tokenizer_of(tokenizer, [found.train], printed(f"counting the words of {text.path}"))
    for name, part in (("train", found.train), ("val", found.test)):
        tell = printed(f"{tokenizer} of {text.path} ({name})")
        write_tokens(draft / f"{name}.tokens", [part], made, tell=tell)
    parts = open_tokens(draft / "train.tokens"), open_tokens(draft / "val.tokens")
    digests = "\n".join(part.tokens.digest() for part in parts)
    (draft / "digests.txt").write_text(digests, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return _opened(folder)


def _sha256(text: Stretch) -> str:
    with plain_errors(text.path), text.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
