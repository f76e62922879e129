r"""``SafeAGI``: pyst2's verbs for a script that Asterisk runs itself, on a wire that holds.

pyst2 0.5.1 by itself escapes nothing (a quote in a value ends the argument, a line break the command), takes
the end of the file for an empty answer (inside a 520 block it spins for ever), fails on a name that is not
UTF-8, reads a variable whose value is ``hangup`` as one, and writes all it hears, callers' numbers included,
to standard error. Its methods stay; what is below them is `ccbridge.agi.protocol`.
"""

from __future__ import annotations

from typing import BinaryIO

from asterisk.agi import AGI, AGIAppError, AGIHangup, AGIInvalidCommand, AGIResultHangup, AGIUsageError

from .protocol import AgiParser, AgiReply, Broken, Event, Greeting, LeftNotice, encode_command

CHUNK = 4096
DEAD_CHANNEL = 511


class _Nowhere:
    def write(self, text: str) -> None:
        """pyst2's remarks go unheard."""


class SafeAGI(AGI):
    """One conversation over two binary files, e.g. ``sys.stdin.buffer`` and ``sys.stdout.buffer``.

    Each verb raises ``AGIHangup`` when the caller or Asterisk is gone (the end of the file is that, too),
    another ``AGIError`` when Asterisk refuses, ValueError when a value cannot be sent. Values are quoted
    here, once: what a caller chose stays one argument.
    """

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._parser = AgiParser()
        self._events: list[Event] = []
        super().__init__(stdin, stdout, _Nowhere())  # type: ignore[no-untyped-call]

    def _get_agi_env(self) -> None:
        event = self._next()
        if not isinstance(event, Greeting):
            raise AGIHangup("no AGI header")
        self.env = dict(event.variables)

    def _quote(self, string: object) -> str:
        return str(string)  # send_command quotes each argument

    def send_command(self, command: str, *args: object) -> None:
        """Raises ValueError for what would not arrive as it is: see ``encode_command``."""
        self.stdout.write(encode_command(command.strip().upper(), *map(str, args)))
        self.stdout.flush()

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """pyst2's form of an answer: ``result`` and ``endpos`` with their values."""
        event = self._next()
        while not isinstance(event, AgiReply):
            if isinstance(event, LeftNotice):
                raise AGIHangup("the channel has hung up")
            if isinstance(event, Broken):
                raise AGIHangup(f"not an AGI peer: {event.reason}")
            event = self._next()
        if event.code == DEAD_CHANNEL:
            raise AGIHangup(event.text)
        if event.code != 200:
            raise (AGIUsageError if event.code == 520 else AGIInvalidCommand)(event.text)
        if event.result == "-1":
            raise (AGIResultHangup if event.data == "hangup" else AGIAppError)(event.text)
        answer = {"result": (event.result, event.data or "")}
        if event.endpos is not None:
            answer["endpos"] = (str(event.endpos), "")
        return answer

    def _next(self) -> Event:
        while not self._events:
            data = self.stdin.read1(CHUNK)
            if not data:
                raise AGIHangup("Asterisk has closed the conversation")
            self._events += self._parser.feed(data)
        return self._events.pop(0)
