"""The AGI wire protocol without a socket: bytes in, events out, command lines as bytes.

A FastAGI connection has two phases. Asterisk first sends `agi_*: value` lines and an empty line; from then
on it answers each command line, strictly in order. Three things make a line-by-line reader slip by one, so
that it takes the answer of one command for the next one's, and each is met here:

* `HANGUP`, a line nobody asked for, between or before answers (twice, where AGIEXITONHANGUP is set);
* `520-Invalid command syntax...`, an answer of several lines that ends with a line `520 ...`;
* a variable's value with a line break in it: `200 result=1 (first` and, on the next line, `second)`.

Nothing here raises on what the peer sends: the last event is `Broken`, and everything after it is ignored.
What we send is checked as strictly: see `encode_command`. Limits and formats were seen on Asterisk 22.10.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

# One reply line: a whole variable comes back on one (GET FULL VARIABLE has no limit of its own).
MAX_REPLY_LINE = 65_536
# Asterisk's own limit on an application's arguments, of which agi_arg_N are a part, is below this.
MAX_HEADER_LINE = 8_192
# 22 fixed names and at most 127 agi_arg_N.
MAX_HEADERS = 160
# All header lines together; arguments share one application string, so a real header is near 1 kB.
MAX_HEADER_BYTES = 32_768
# Lines or answers that nobody asked for, a whole session long. Real ones: two HANGUPs, a value's second half.
MAX_NOISE = 100
# Asterisk 16 reads a command into 2,048 bytes with a terminating NUL (22: 8,192). One byte more, and the rest
# of the line is taken for a second command with an answer of its own.
MAX_COMMAND = 2_047
# Asterisk's argv[128], the verb's words and a terminator included; what is beyond is dropped without a word.
MAX_ARGUMENTS = 120

_VERB = re.compile(r"[A-Z]+(?: [A-Z]+)*")
_REPLY = re.compile(r"([0-9]{3})(?:([ -])(.*))?", re.DOTALL)
_RESULT = re.compile(r"result=(\S*) ?")
_ENDPOS = re.compile(r"(?:^|\s)endpos=([0-9]{1,18})(?:\s|$)")
_NOT_PLAIN = re.compile(r'[\\"\r\n\0]')


@dataclass(frozen=True, slots=True)
class Greeting:
    """The header is complete. Names keep their `agi_` prefix; values are never None."""

    variables: Mapping[str, str]


class AgiReply(NamedTuple):
    """The one answer to one command.

    `result` is the word after `result=` and may be empty. `data` is the text in parentheses, None if there
    is none. `endpos` is in samples (8 per ms). `text` is the answer as received without its code; of a 520
    block, all lines.
    """

    code: int
    result: str
    data: str | None = None
    endpos: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class LeftNotice:
    """The unsolicited line `HANGUP`: the channel hung up or was redirected away."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that is neither an answer nor a notice."""

    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """This is no AGI peer. `reason` is one of a fixed few words, fit for a counter's name."""

    reason: str


Event = Greeting | AgiReply | LeftNotice | Stray | Broken


def decode(raw: bytes) -> str:
    """Text of one line: UTF-8, else Latin-1, in which carriers and old PBXs send names. Never fails."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def encode_command(verb: str, *arguments: str | int) -> bytes:
    r"""One command line, newline included, at most 2,047 bytes.

    `verb` is capital letters and single spaces. Every argument is quoted, `\` and `"` escaped, so it
    arrives as it is.

    Raises ValueError for CR, LF or NUL (each would end the command and could begin another), for a bad
    verb, for text that UTF-8 cannot carry, and for a line that is too long for Asterisk.
    """
    if not _VERB.fullmatch(verb):
        raise ValueError(f"not an AGI verb: {verb!r}")
    if len(arguments) > MAX_ARGUMENTS:
        raise ValueError(f"{verb}: {len(arguments)} arguments, Asterisk takes {MAX_ARGUMENTS}")
    parts = [verb]
    for argument in arguments:
        text = str(argument)
        if found := _NOT_PLAIN.findall(text):
            if not {"\\", '"'}.issuperset(found):
                raise ValueError(f"{verb}: CR, LF or NUL in an argument")
            text = _NOT_PLAIN.sub(r"\\\g<0>", text)
        parts.append(f'"{text}"')
    line = (" ".join(parts) + "\n").encode("utf-8")
    if len(line) > MAX_COMMAND:
        raise ValueError(f"{verb}: {len(line)} bytes, Asterisk takes {MAX_COMMAND}")
    return line


class AgiParser:
    """Turns what Asterisk sends into events; how the bytes are cut into segments makes no difference.

    Keeps at most one unfinished line, header or answer, each within the limits above.
    """

    __slots__ = (
        "_block",
        "_headers",
        "_headers_size",
        "_in_header",
        "_noise",
        "_open",
        "_tail",
        "broken",
    )

    def __init__(self) -> None:
        self.broken = False
        self._tail = bytearray()
        self._in_header = True
        self._headers: dict[str, str] = {}
        self._headers_size = 0
        self._block: str | None = None  # the lines of a 520 answer so far
        self._open: str | None = None  # an answer whose parenthesis has not closed yet
        self._noise = 0

    @property
    def held_bytes(self) -> int:
        """Size of what waits for more bytes (for the tests of the bounds)."""
        return len(self._tail) + self._headers_size + len(self._block or "") + len(self._open or "")

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, in order."""
        events: list[Event] = []
        if self.broken:
            return events
        lines = data.split(b"\n")
        last = lines.pop()
        if lines and self._tail:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        if self._in_header:
            lines = self._header(lines, events)
        for raw in lines:
            event = self._line(decode(raw)) if len(raw) <= MAX_REPLY_LINE else self._break("line_too_long")
            if event is not None:
                events.append(event)
            if self.broken:
                return events
        if last and not self.broken:
            self._tail += last
            if len(self._tail) > (MAX_HEADER_LINE if self._in_header else MAX_REPLY_LINE):
                events.append(self._break("line_too_long"))
        return events

    def _break(self, reason: str) -> Broken:
        self.broken = True
        self._tail.clear()
        self._headers = {}
        self._headers_size = 0
        self._block = self._open = None
        return Broken(reason)

    def _header(self, lines: list[bytes], events: list[Event]) -> list[bytes]:
        """Take the lines of the header, and return those behind its end."""
        headers, size = self._headers, self._headers_size
        for number, raw in enumerate(lines, 1):
            if not raw:
                self._in_header = False
                events.append(Greeting(headers))
                self._headers, self._headers_size = {}, 0
                return lines[number:]
            size += len(raw)
            name, colon, value = decode(raw).partition(":")
            if len(raw) > MAX_HEADER_LINE:
                reason = "line_too_long"
            elif not colon or name in headers or not name.startswith("agi_"):
                reason = "bad_header"
            elif size > MAX_HEADER_BYTES or len(headers) >= MAX_HEADERS:
                reason = "too_many_headers"
            else:
                headers[name] = value.removeprefix(" ")
                continue
            events.append(self._break(reason))
            return []
        self._headers_size = size
        return []

    def _line(self, line: str) -> Event | None:
        if self._block is not None:
            self._block = f"{self._block}\n{line}"
            if line.startswith("520 "):
                text, self._block = self._block, None
                return AgiReply(520, "", text=text)
            return self._break("answer_too_long") if len(self._block) > MAX_REPLY_LINE else None
        if self._open is not None:
            self._open = f"{self._open}\n{line}"
            if ")" in line:
                text, self._open = self._open, None
                return _success(text)
            return self._break("answer_too_long") if len(self._open) > MAX_REPLY_LINE else None
        if line.startswith("200 result=") and " " not in line[11:]:  # nearly all answers
            return AgiReply(200, line[11:], None, None, line[4:])
        if line.startswith("200 result=1 (") and line.endswith(")"):  # a variable's value
            return AgiReply(200, "1", line[14:-1], None, line[4:])
        if line == "HANGUP":
            return self._count_noise() or LeftNotice()
        match = _REPLY.fullmatch(line)
        # 1xx is "still at it": the answer is yet to come.
        if match is None or match[1][0] == "1":
            return self._count_noise() or Stray(line)
        code, separator, text = int(match[1]), match[2], match[3] or ""
        if code == 520 and separator == "-":
            self._block = text
            return None
        if code != 200:
            return AgiReply(code, "", text=text)
        found = _RESULT.match(text)
        if found and text.startswith("(", found.end()) and ")" not in text[found.end() :]:
            self._open = text
            return None
        return _success(text)

    def _count_noise(self) -> Broken | None:
        self._noise += 1
        return self._break("noise") if self._noise > MAX_NOISE else None


def _success(text: str) -> AgiReply:
    found = _RESULT.match(text)
    if found is None:
        return AgiReply(200, "", text=text)
    rest = text[found.end() :]
    data: str | None = None
    if rest.startswith("("):
        # GET VARIABLE ends with its own parenthesis, and the value may hold others; where more fields
        # follow, the text in parentheses is one of Asterisk's own words.
        close = len(rest) - 1 if rest.endswith(")") else rest.index(")")
        data, rest = rest[1:close], rest[close + 1 :]
    position = _ENDPOS.search(rest)
    return AgiReply(200, found[1], data, int(position[1]) if position else None, text)
