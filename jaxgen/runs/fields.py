"""An experiment's fields to and from JSON, and how two sets of them differ."""

import dataclasses
import math
import types
import unicodedata
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jaxgen.errors import UserError
from jaxgen.suggest import did_you_mean


def to_json(config) -> dict[str, Any]:
    """The fields of a dataclass, nested ones as objects and tuples as lists."""
    return dataclasses.asdict(config)


def from_json(default, values: dict[str, Any], source: Path | str, prefix: str = ""):
    """A dataclass of the kind of `default`, with the fields that `values` describes.

    Fields that are absent are as in `default`; one that holds a dataclass holds one of the same class.
    Raises UserError naming the field where one is unknown or has a value of the wrong type.
    """
    hints = get_type_hints(type(default))
    names = {field.name for field in dataclasses.fields(default)}
    fields = {}
    for name, value in values.items():
        if name not in names:
            raise UserError(
                f"{source} has a field {prefix}{name}, which this experiment does not; "
                f"{did_you_mean(name, sorted(names))}."
            )
        hint, known = hints[name], getattr(default, name)
        if dataclasses.is_dataclass(known) and isinstance(value, dict):
            fields[name] = from_json(known, value, source, f"{prefix}{name}.")
            continue
        value = tuple(value) if isinstance(value, list) else value
        if not _fits(value, hint):
            raise UserError(f"{source} has {value!r} for {prefix}{name}, which is not a {hint}.")
        fields[name] = value
    return dataclasses.replace(default, **fields)


def refuse_extremes(config, prefix: str = "") -> None:
    """Raise a UserError for what no run can use, whoever wrote it, naming the field's flag.

    A number that is not finite or beyond the device's 32-bit integers, and a text that could steer the
    terminal on which --help shows it.
    """
    for field in dataclasses.fields(config):
        name, value = prefix + field.name, getattr(config, field.name)
        flag = f"--{name}".replace("_", "-")
        if dataclasses.is_dataclass(value):
            refuse_extremes(value, f"{name}.")
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, int) and abs(item) >= 2**31:
                raise UserError(f"{flag} is {item}: give a number below 2^31.")
            if isinstance(item, float) and not math.isfinite(item):
                raise UserError(f"{flag} is {item}: give a finite number.")
            if isinstance(item, str) and _has_control_characters(item):
                raise UserError(f"{flag} has control characters: take them out.")


def differences(first, second, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The fields in which two dataclasses of one type differ, by dotted name, with both values."""
    found = {}
    for field in dataclasses.fields(first):
        name, pair = prefix + field.name, (getattr(first, field.name), getattr(second, field.name))
        if dataclasses.is_dataclass(pair[0]):
            found |= differences(*pair, prefix=f"{name}.")
        elif pair[0] != pair[1]:
            found[name] = pair
    return found


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in text)


def _fits(value, hint) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)
