"""docs/configuration.md says what the models say: same keys, types, defaults and ranges, both ways."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ccbridge.config.models import SiteFile
from ccbridge.config.secrets import SLOTS
from ccbridge.config.shapes import Between, Count, Ref, Shaped, plain
from ccbridge.config.translate import unwrapped

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
ROW = re.compile(r"\| `([a-z_.<>]+)` \| ([^|]*) \| ([^|]*) \|([^|]*)\| ([^|]+) \|")
FREE = {
    "week": "<days>",
    "dates": "<date>",
    "outcomes": "<digit>",
    "choices": "<key>",
    "keys": "<key>",
    "numbers": "<number>",
    "tags": "<number>",
    "voices": "<language>",
    "number_priority": "<number>",
    "number_language": "<number>",
}
SECRETS = {".".join(map(str, slot.loc)): slot for slot in SLOTS}

Row = tuple[str, str, str]  # type, default, allowed


def documented() -> dict[str, Row]:
    rows = [
        match.groups() for match in map(ROW.match, DOCS.read_text(encoding="utf-8").splitlines()) if match
    ]
    assert len({row[0] for row in rows}) == len(rows), "a key has two rows"
    return {key: (kind, default, allowed.strip()) for key, kind, default, allowed, _ in rows}


def metadata(annotation: Any) -> list[Any]:
    """Everything that hangs on an annotation, however deep in ``Annotated`` and ``| None``."""
    if typing.get_origin(annotation) is Annotated:
        inner, *extra = typing.get_args(annotation)
        return metadata(inner) + extra
    if typing.get_origin(annotation) in (typing.Union, type(int | str)):
        return [extra for arg in typing.get_args(annotation) for extra in metadata(arg)]
    return []


def kind(bare: Any, extra: list[Any]) -> str:
    if refs := [item.kind for item in extra if isinstance(item, Ref)]:
        return refs[0]
    if bare is tuple or typing.get_origin(bare) is tuple:
        item = typing.get_args(bare)[0]
        inner = kind(unwrapped(item), metadata(item))
        sound = any(isinstance(x, Shaped) and "sound" in x.words for x in metadata(item))
        return f"list of {'sound' if sound else 'name' if inner == 'text' else inner}s"
    if typing.get_origin(bare) is dict or (isinstance(bare, type) and issubclass(bare, BaseModel)):
        return "mapping"
    if typing.get_origin(bare) is Literal:
        return "text"
    return {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "yes/no",
        Path: "path",
        SecretStr: "secret",
    }[bare]


def allowed(bare: Any, extra: list[Any]) -> str:
    said = [f"{item.low}-{item.high} entries" for item in extra if isinstance(item, Count)]
    said += [item.words for item in extra if isinstance(item, Shaped)]
    said += [
        f"{plain(item.low)}-{plain(item.high)} {item.unit}".strip()
        for item in extra
        if isinstance(item, Between)
    ]
    if typing.get_origin(bare) is Literal:
        said.append(", ".join(typing.get_args(bare)))
    if typing.get_origin(bare) is tuple:
        item = typing.get_args(bare)[0]
        said += [text for text in [allowed(unwrapped(item), metadata(item))] if "seconds" in text]
    return "true, false" if bare is bool else ", ".join(said)


def default(key: str, info: FieldInfo) -> str:
    value = info.default
    if key in SECRETS:
        return "one of three" if SECRETS[key].required else "none"
    if info.is_required():
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(plain(item) if isinstance(item, float) else item for item in value)}]`"
    if isinstance(value, dict):
        return "`{" + ", ".join(f"{name}: {item}" for name, item in value.items()) + "}`"
    if isinstance(value, str) and value.startswith("*"):
        return f'`"{value}"`'  # YAML would take it for an alias
    return f"`{plain(value) if isinstance(value, float) else value}`"


def modelled(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Row]]:
    for name, info in model.model_fields.items():
        key = f"{path}{name}"
        bare, extra = unwrapped(info.annotation), [*metadata(info.annotation), *info.metadata]
        row = (kind(bare, extra), default(key, info), allowed(bare, extra))
        if typing.get_origin(bare) is dict:
            yield key, row
            inner = typing.get_args(bare)[1]
            below = f"{key}.{FREE.get(name, '<name>')}"
            if isinstance(unwrapped(inner), type) and issubclass(unwrapped(inner), BaseModel):
                yield from modelled(unwrapped(inner), f"{below}.")
            else:
                inner_kind = kind(unwrapped(inner), metadata(inner))
                yield below, (inner_kind, "required", allowed(unwrapped(inner), metadata(inner)))
        elif isinstance(bare, type) and issubclass(bare, BaseModel):
            if info.default is None:  # may be left out; the sections that are always there have headings
                yield key, row
            yield from modelled(bare, f"{key}.")
        else:
            yield key, row
            item = unwrapped(typing.get_args(bare)[0]) if typing.get_origin(bare) is tuple else None
            if isinstance(item, type) and issubclass(item, BaseModel):
                yield from modelled(item, f"{key}.")


# Said in words of its own, because a check of several keys or a secret's reader makes the rule.
BY_HAND = {"recording.directory", "control.socket", "callers.country", *SECRETS}
BY_HAND |= {"languages", "speech.command", "speech.convert", "speech.directory", "speech.recorded"}


def test_docs_and_models_say_the_same() -> None:
    docs, models = documented(), dict(modelled(SiteFile))
    assert sorted(docs) == sorted(models)
    for key, row in models.items():
        want = docs[key]
        assert (want[0], want[1]) == (row[0], row[1]), key
        if key in BY_HAND:
            assert want[2], key
        else:
            assert want[2] == row[2], key


def test_every_secret_variable_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for key, slot in SECRETS.items():
        assert f"| `{key}` | `{slot.variable}` |" in text


def test_documented_defaults_are_yaml() -> None:
    """What stands as a default can be copied into a file."""
    values = [yaml.safe_load(row[1].strip("`")) for row in documented().values() if row[1].startswith("`")]
    assert len(values) > 20
    assert None not in values
