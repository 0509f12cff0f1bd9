"""A JSON object with the digest of all its other fields, so that damage to it shows."""

import hashlib
import json
from typing import Any

NAME = "sha256"


def own_digest(fields: dict) -> str:
    """SHA-256 of an object's fields in sorted order; over all formats the same."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def seal(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields behind their digest, whose line can be taken out and leaves JSON."""
    return {NAME: own_digest(fields)} | fields


def is_intact(sealed: dict[str, Any]) -> bool:
    """Whether an object's fields are those that were sealed."""
    fields = {name: value for name, value in sealed.items() if name != NAME}
    return sealed.get(NAME) == own_digest(fields)
