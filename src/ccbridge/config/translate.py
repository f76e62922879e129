"""pydantic's errors in the words of this file format."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ccbridge.config.mistakes import KEY, Loc, Notes, misspelt, show, suggest
from ccbridge.config.models import SiteFile

SECRET_KEYS = frozenset({"secret", "url", "admin_url"})

_MISSING = {
    "overflow": "is missing: after max_wait callers must have somewhere to go, an extension in "
    "asterisk.exit_context",
    "otherwise": "is missing: the step for a caller who used up his tries",
    "country": "is missing: where the callers' numbers without a country code are from, such as GR",
    "next": "is missing: the step after the prompts",
}


def report(error: ValidationError, bare: Mapping[Loc, str], notes: Notes) -> None:
    """Add every error to ``notes``, except those that only follow from another mistake already there."""
    details = error.errors(include_url=False, include_input=False)
    unknown = [tuple(item["loc"]) for item in details if item["type"] == "extra_forbidden"]
    for item in details:
        loc: Loc = tuple(item["loc"])
        beside = [str(other[-1]) for other in unknown if other[:-1] == loc[:-1]]
        if item["type"] == "missing" and misspelt(str(loc[-1]), beside, keys_at(loc[:-1])):
            # It stands there, with a slip in it: that is one mistake, not two.
            continue
        # A bare number as a value of the wrong kind is one mistake, its key's shape another.
        if loc[-1:] == (KEY,) and notes.has(loc):
            continue
        notes.add(loc, _text(item, loc, bare))


def keys_at(loc: Loc) -> list[str]:
    """The keys that may stand in the mapping at ``loc``; empty where names are free."""
    at: Any = SiteFile
    for part in loc:
        at = _inside(at, part)
    return list(at.model_fields) if isinstance(at, type) and issubclass(at, BaseModel) else []


def unwrapped(annotation: Any) -> Any:
    """``Annotated[X, ...]`` and ``X | None`` as ``X``."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (types.UnionType, typing.Union):
            annotation = next(arg for arg in typing.get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _inside(at: Any, part: str | int) -> Any:
    """The type one step down, or ``None`` where the file goes on and the models do not."""
    if isinstance(at, type) and issubclass(at, BaseModel):
        found = at.model_fields.get(str(part))
        return unwrapped(found.annotation) if found else None
    args = typing.get_args(at)
    if not args:
        return None
    return unwrapped(args[-1] if typing.get_origin(at) is dict else args[0])


def _text(item: ErrorDetails, loc: Loc, bare: Mapping[Loc, str]) -> str:
    kind, ctx = item["type"], item.get("ctx", {})
    source = bare.get(loc)
    written = "" if source is None or loc[-1] in SECRET_KEYS else f", not {source or 'empty'}"
    match kind:
        case "extra_forbidden":
            return f"unknown key; {suggest(str(loc[-1]), keys_at(loc[:-1]))}"
        case "missing":
            return _MISSING.get(str(loc[-1]), "is missing")
        case "value_error":
            return str(ctx["error"])
        case "literal_error":
            return f"must be one of {str(ctx['expected']).replace(chr(39), '')}{written}"
        case "string_type" | "string_sub_type":
            if source is None:
                return "must be text"
            if loc[-1] in SECRET_KEYS:
                return "must be text; quote it"
            return f"must be text, and YAML takes this for something else; quote it: {show(source)}"
        case "float_type":
            return f"must be a plain number{written}"
        case "int_type" | "int_from_float":
            return f"must be a plain whole number{written}"
        case "bool_type":
            return f"must be true or false{written}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a mapping (key: value)"
        case "tuple_type" | "list_type":
            return "must be a list, such as [one, two]"
        case _:
            return item["msg"]
