"""The protocol: bytes in, requests out, bytes to send. No I/O here.

A request is one line, a JSON object with ``do`` (what), ``id`` (optional, comes back with the answer) and
the command's own fields. An answer is one line: ``{"id", "ok", "text", "data"}``; ``text`` is one sentence
for a person. What is no JSON object cannot be answered by its id, so it ends the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Bytes of one request. The longest real one is under 300; a socket buffer's worth bounds the memory.
LINE_LIMIT = 65_536
TEXT_LIMIT = 200  # characters of one field's value
NAME_LIMIT = 40  # ... of a name that is quoted in an error

Id = int | str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """``data`` holds JSON values only."""

    ok: bool
    text: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Request:
    id: Id
    do: str
    fields: Mapping[str, Any]


class Refused(Exception):
    """The request cannot be done; the message is one sentence for the asker."""

    def __init__(self, text: str, id: Id = None) -> None:
        super().__init__(text)
        self.text, self.id = text, id


class NotARequest(Exception):
    """The line is no JSON object: whoever talks here does not speak the protocol."""


def parse(line: bytes) -> Request:
    """One line without its newline. Raises NotARequest, or Refused for an object without a good ``do``."""
    try:
        data = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotARequest("a request is one line of JSON, in UTF-8") from error
    if not isinstance(data, dict):
        raise NotARequest(f"a request is a JSON object, not {kind(data)}")
    id = data.pop("id", None)
    if isinstance(id, bool) or not isinstance(id, int | str | None) or len(str(id)) > NAME_LIMIT:
        raise Refused(f'"id" must be a number or a text of at most {NAME_LIMIT} characters')
    if "do" not in data:
        raise Refused('"do" is missing: it names the command', id)
    do = data.pop("do")
    if not isinstance(do, str):
        raise Refused(f'"do" must be text, not {kind(do)}', id)
    return Request(id, do, data)


def encode(id: Id, answer: Answer) -> bytes:
    """Raises TypeError or ValueError for ``data`` that JSON cannot hold."""
    fields = {"id": id, "ok": answer.ok, "text": answer.text, "data": answer.data}
    return json.dumps(fields, allow_nan=False).encode("ascii") + b"\n"


def texts(
    do: str, fields: Mapping[str, Any], *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, str]:
    """A command's fields, all of them text, "" for one left out. Raises Refused, naming the field."""
    for name in fields:
        if name not in required and name not in optional:
            known = ", ".join((*required, *optional)) or "none"
            raise Refused(f"{do} has no field {quoted(name)}; its fields are: {known}")
    found = {}
    for name in (*required, *optional):
        value = fields.get(name)
        if value is None and name in optional:
            value = ""
        elif value is None:
            raise Refused(f'{do}: field "{name}" is missing')
        elif not isinstance(value, str):
            raise Refused(f'{do}: field "{name}" must be text, not {kind(value)}')
        elif len(value) > TEXT_LIMIT:
            raise Refused(f'{do}: field "{name}" is longer than {TEXT_LIMIT} characters')
        elif not value.isprintable() or not value.strip():
            raise Refused(f'{do}: field "{name}" must be one line of plain text')
        found[name] = value
    return found


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "null"


def quoted(text: str) -> str:
    """Somebody's text inside a message: one printable line of bounded length."""
    short = text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 3] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in short) + '"'


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
