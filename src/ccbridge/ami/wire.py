"""The AMI wire format, without any I/O: bytes in, messages out; an action in, bytes out.

Text from Asterisk is UTF-8 as a rule, but caller names come from telephones and are copied as they are. A
line that is not valid UTF-8 is read as Latin-1, unless part of it *is* valid multi-byte UTF-8: then it is
UTF-8 that a fixed-size buffer of Asterisk cut short, and only the damaged bytes become U+FFFD. Either way
the result has no lone surrogates, so a database or a JSON file can take it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from panoramisk.message import Message

from .errors import WireError

GREETING = b"Asterisk Call Manager/"
EOL = "\r\n"
END = b"\r\n\r\n"

# Asterisk's manager.c: inbuf[1025], one byte of it for the terminating NUL, so 1,024 with CR LF; a longer
# line is thrown away. AST_MAX_MANHEADERS is 128; more makes it refuse the action.
MAX_LINE = 1024
MAX_HEADERS = 128
# A `Command` answer is one message and may be long ("database show"); nothing legitimate comes near this.
MAX_MESSAGE = 4 * 1024 * 1024

_EVENT = "Event: "
_LISTS = frozenset({"variable", "chanvariable", "output"})
(_QUOTED,) = Message.quoted_keys  # "result": what AsyncAGI answers comes in URL quoting
# What only the whole message tells: lists, quoting, and what is no header.
_MADE = _LISTS | {_QUOTED, "content"}

Fields = Mapping[str, str | Sequence[str]]


class AmiMessage(Message):
    """A panoramisk message whose headers are searched for when somebody reads them.

    Most events are looked at by name and dropped, so the name is all that is taken out beforehand; of the
    others few headers are read (`get`), and only who wants all of them has the text cut up. Of a repeated
    header the first counts (`values` gives all): where the sender of a UserEvent has added another,
    that is Asterisk's own. Only what Asterisk itself repeats is a list. An empty header is kept as "", and
    lines that are no headers are kept in `content`. As in panoramisk `message.header` reads "" for a missing
    header; `message["header"]` raises KeyError.
    """

    _store: dict[str, tuple[str, Any]]
    _repeated: dict[str, list[str]]
    _folded: str | None  # the text in lower case, with a line's end before each line
    event: str

    def __init__(self, text: str) -> None:
        # Not calling panoramisk's constructor is the point: it would build the headers now.
        self.text = text
        self.manager = None
        self._folded = None
        if text.startswith(_EVENT):
            end = text.find(EOL)
            self.event = text[len(_EVENT) :] if end < 0 else text[len(_EVENT) : end]
        else:
            self.event = self.get("event", "")

    def get(self, key: str, default: Any = None) -> Any:
        """The value that counts, or `default`. As a rule four headers of twenty are read: they are searched
        for, which is a quarter of the work of cutting the text up."""
        key = key.lower()
        # The lower case of ASCII keeps each character in its place.
        if "_store" not in self.__dict__ and key not in _MADE and self.text.isascii():
            if self._folded is None:
                self._folded = EOL + self.text.lower()
            at = self._folded.find(f"{EOL}{key}:")
            if at < 0:
                return default
            begin = at + len(key) + len(": ")
            if self.text.startswith(" ", begin - 1):
                end = self.text.find(EOL, begin)
                return self.text[begin:] if end < 0 else self.text[begin:end]
        found = self._store.get(key)
        return default if found is None else found[1]

    def items(self) -> Any:
        """Pairs of a header's name, as it came, and what counts of it."""
        return self._store.values()

    def __getattr__(self, name: str) -> Any:
        if name in ("_store", "_repeated"):
            self._store, self._repeated = _headers(self.text)
            return self.__dict__[name]
        if name.startswith("_"):  # else copy and pickle take "" for a method
            raise AttributeError(name)
        return self.get(name, "")


def _headers(text: str) -> tuple[dict[str, tuple[str, Any]], dict[str, list[str]]]:
    """What counts of each header, and all values of a repeated one; by lower-case name."""
    store: dict[str, tuple[str, Any]] = {}
    repeated: dict[str, list[str]] = {}
    loose: list[str] = []
    for line in text.split(EOL):
        name, colon, value = line.partition(": ")
        key = name.lower()
        if colon and key not in store and key != _QUOTED:  # nearly every line: keep it short
            store[key] = (name, value)
            continue
        if not colon:
            if not line.endswith(":"):
                loose.append(line)
                continue
            name, key = line[:-1], key[:-1]
        if key == _QUOTED:
            value = unquote(value).strip()
        if key not in store:
            store[key] = (name, value)
        else:
            repeated.setdefault(key, [store[key][1]]).append(value)
    if loose and "content" not in store:
        store["content"] = ("content", EOL.join(loose))
    for key in repeated.keys() & _LISTS:
        store[key] = (store[key][0], repeated[key])
    return store, repeated


def values(message: Mapping[str, Any], key: str) -> list[str]:
    """Every value, in order, of a header that may be absent, single or repeated (`Variable`)."""
    if isinstance(message, AmiMessage) and (repeated := message._repeated.get(key.lower())):
        return list(repeated)
    value = message.get(key)
    return [] if value is None else [value]


class Inbound:
    """Cuts the stream of one connection into messages, wherever TCP cut it into segments."""

    def __init__(self) -> None:
        self.version: str | None = None  # of the protocol, from the greeting; None before it came
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[AmiMessage]:
        """Messages completed by `data`, in order. Raises WireError if the peer cannot be Asterisk."""
        rest = self._rest
        searched = max(0, len(rest) - len(END) + 1)  # the end mark itself may be cut in two
        rest += data
        if self.version is None:
            if not self._greet():
                return []
            searched = 0
        cut = rest.rfind(END, searched)
        if cut < 0:
            if len(rest) > MAX_MESSAGE:
                raise WireError(f"a message longer than {MAX_MESSAGE} bytes")
            return []
        block = bytes(rest[:cut])
        del rest[: cut + len(END)]
        # Decoded in whole messages only: a character cut by a segment border is whole again here.
        blocks = decode(block).split(EOL + EOL)
        return [AmiMessage(text.lstrip(EOL) if text[:1] in "\r\n" else text) for text in blocks if text]

    def _greet(self) -> bool:
        end = self._rest.find(b"\n")
        seen = self._rest[: len(GREETING)]
        if not GREETING.startswith(seen) or len(self._rest if end < 0 else self._rest[:end]) > MAX_LINE:
            raise WireError("the greeting is not Asterisk's")
        if end < 0:
            return False
        self.version = self._rest[len(GREETING) : end].decode("ascii", "replace").strip()
        del self._rest[: end + 1]
        return True


def decode(data: bytes) -> str:
    """Text of whole lines; never fails (see the head of this file)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return EOL.join(map(_decode_line, data.split(b"\r\n")))


def _decode_line(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    if "\ufffd" in text and all(char == "\ufffd" or char.isascii() for char in text):
        return line.decode("latin-1")
    return text


def encode(fields: Fields) -> bytes:
    """One action as bytes, `Action` first, the other headers in the order given.

    Raises ValueError for what Asterisk would misread: CR, LF or NUL anywhere (a header of somebody else's
    choosing), a colon in a name, text that is no Unicode, a line over 1,024 bytes, more than 128 headers;
    TypeError for a value that is neither text nor a sequence of texts.
    """
    lines: list[bytes] = []
    named = sorted(fields.items(), key=lambda item: item[0].lower() != "action")
    if not named or named[0][0].lower() != "action" or not named[0][1]:
        raise ValueError("an AMI action needs an Action header")
    for name, value in named:
        if not name or ":" in name:
            raise ValueError(f"not an AMI header name: {name!r}")
        for item in (value,) if isinstance(value, str) else value:
            if not isinstance(item, str):
                raise TypeError(f"AMI header {name!r} must be text, not {type(item).__name__}")
            text = f"{name}: {item}"
            if "\r" in text or "\n" in text or "\0" in text:
                raise ValueError(f"CR, LF or NUL in AMI header {name!r}")
            line = text.encode() + b"\r\n"
            if len(line) > MAX_LINE:
                raise ValueError(f"AMI header {name!r} makes a line of {len(line)} bytes; {MAX_LINE} at most")
            lines.append(line)
    if len(lines) > MAX_HEADERS:
        raise ValueError(f"{len(lines)} AMI headers; {MAX_HEADERS} at most")
    return b"".join(lines) + b"\r\n"
