"""One conversation with one channel: commands out, answers in, and what it means when the channel is gone.

Asterisk answers commands strictly in order and says no number with an answer, so a session has one command
in flight. An answer that nobody waits for any more (the command timed out, or its task was cancelled) is
still *owed*: it is paid off when it comes and never taken for a later command's.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .protocol import MAX_NOISE, AgiReply, LeftNotice, encode_command

# A peer that owes this many answers is not one we can talk to; it also bounds what waits in the socket's
# buffer.
MAX_OWED = 8
LAST_LOOK = 0.2  # seconds beyond a limit in which an answer that lies in the socket is read


class AgiError(Exception):
    """A command did not do what it was asked to."""


class ChannelLeft(AgiError):
    """The channel left this AGI session: hung up or redirected."""


class CommandTimeout(AgiError):
    """No answer within the command's time limit. Its outcome is unknown; it may still be running."""


class CommandRefused(AgiError):
    """Asterisk answered that it did not do it, and the channel is still here.

    `code` is 510 (no such command), 520 (wrong arguments), another error code, or 200 with a result below
    0: a missing sound file, no such application.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Digits(NamedTuple):
    """What a caller keyed. `timed_out` is False if the number was full or ended with `#`."""

    digits: str
    timed_out: bool


class AgiSession:
    """The channel side of a FastAGI handler.

    Every command may raise ChannelLeft, CommandTimeout, CommandRefused, and ValueError for text that the
    protocol cannot carry. After the channel has left, only `get_variable` and `set_variable` are still
    tried, as long as the socket is open. `query` is the request's query string (the first of a repeated
    name), `path` the route.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        variables: Mapping[str, str],
        path: str,
        query: Mapping[str, str],
        *,
        command_timeout: float,
        media_timeout: float,
        count: Callable[[str], None],
    ) -> None:
        self.variables = variables
        self.path = path
        self.query = query
        self.left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._command_timeout = command_timeout
        self._media_timeout = media_timeout
        self._count = count
        self._waiter: asyncio.Future[AgiReply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_look = False
        self._expires = 0.0  # loop time at which the command in flight has had its time
        self._owed = 0
        self._unasked = 0
        self._gone: str | None = None  # why the socket is closed

    # -- who is calling ----------

    @property
    def uniqueid(self) -> str:
        return self.variables.get("agi_uniqueid", "")

    @property
    def channel(self) -> str:
        return self.variables.get("agi_channel", "")

    @property
    def callerid(self) -> str:
        """The caller's number; "" if Asterisk has none (it writes `unknown`)."""
        return self._known("agi_callerid")

    @property
    def calleridname(self) -> str:
        return self._known("agi_calleridname")

    @property
    def dnid(self) -> str:
        """The number that was dialled; "" if the channel did not say."""
        return self._known("agi_dnid")

    @property
    def extension(self) -> str:
        return self.variables.get("agi_extension", "")

    @property
    def args(self) -> list[str]:
        """agi_arg_1, agi_arg_2, ... as the dialplan gave them."""
        found: list[str] = []
        while (value := self.variables.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return found

    @property
    def hung_up(self) -> bool:
        """The channel has left: hung up or redirected. To wait for it, use the event `left`."""
        return self.left.is_set()

    def _known(self, name: str) -> str:
        value = self.variables.get(name, "")
        return "" if value == "unknown" else value

    # -- commands ----------

    async def command(self, verb: str, *arguments: str | int, limit: float | None = None) -> AgiReply:
        """Send one command and wait for its answer, whose code is 200.

        `limit`: seconds until CommandTimeout, default the server's `command_timeout`. A `result=-1` is
        returned as it is, since only the command's own meaning tells what it says. Raises RuntimeError if
        another command is in flight.
        """
        line = encode_command(verb, *arguments)
        if self._waiter is not None:
            raise RuntimeError(f"{verb}: another command of this session is in flight")
        if self._gone is not None:
            raise ChannelLeft(self._gone)
        waiter: asyncio.Future[AgiReply] = self._loop.create_future()
        self._waiter = waiter
        self._transport.write(line)
        self._last_look = False
        self._expire_at(self._loop.time() + (self._command_timeout if limit is None else limit))
        try:
            reply = await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None
                self._owe()
        if reply.code == 511:
            self.left.set()
            raise ChannelLeft(f"{verb}: {reply.text}")
        if reply.code != 200:
            raise CommandRefused(reply.code, reply.text)
        return reply

    async def answer(self) -> None:
        """Answer the channel; up to 0.5 s, until the caller's first audio arrives."""
        await self._media("ANSWER")

    async def stream_file(self, name: str, escape_digits: str = "", *, limit: float | None = None) -> str:
        """Play a sound file (no extension). The digit of `escape_digits` that broke it off, or "".

        `limit`: seconds until CommandTimeout, default the server's `media_timeout`. A missing file is
        CommandRefused.
        """
        return _digit(await self._media("STREAM FILE", name, escape_digits, limit=limit))

    async def say_number(self, number: int, escape_digits: str = "") -> str:
        """Say a number. The digit of `escape_digits` that broke it off, or ""."""
        return _digit(await self._media("SAY NUMBER", number, escape_digits))

    async def wait_for_digit(self, ms: int) -> str:
        """The next digit keyed within `ms` milliseconds (0 or more), or ""."""
        if ms < 0:
            raise ValueError("wait_for_digit: Asterisk takes a negative time as for ever")
        return _digit(await self._media("WAIT FOR DIGIT", ms, limit=ms / 1000 + self._command_timeout))

    async def say_digits(self, digits: str, escape_digits: str = "") -> str:
        """Say digits one by one. The key of `escape_digits` that broke it off, or ""."""
        return _digit(await self._media("SAY DIGITS", digits, escape_digits))

    async def say_moment(self, at: int, form: str, escape_digits: str = "") -> str:
        """Say a moment (epoch seconds) in the PBX's time zone; `form` as voicemail.conf has it."""
        return _digit(await self._media("SAY DATETIME", at, escape_digits, form))

    async def get_data(self, name: str, ms: int, max_digits: int) -> Digits:
        """Play a file and collect up to `max_digits` digits, with `ms` milliseconds for each, `#` ends.

        A missing file is CommandRefused.
        """
        if ms <= 0 or max_digits <= 0:
            raise ValueError("get_data: Asterisk takes 0 as for ever")
        limit = self._media_timeout + max_digits * ms / 1000
        reply = await self._media("GET DATA", name, ms, max_digits, limit=limit)
        return Digits(reply.result, reply.data == "timeout")

    async def exec(self, application: str, arguments: str = "", *, limit: float | None = None) -> str:
        """Run a dialplan application; its return value as text.

        CommandRefused: there is no such application, or it failed while the channel stayed; AGISTATUS
        then says FAILURE at the end of the session. `limit` as in stream_file.

        `arguments` is read by the application (commas, options): never put a caller's text into it, put
        that into a variable.
        """
        return (await self._media("EXEC", application, arguments, limit=limit)).result

    async def set_variable(self, name: str, value: str | int) -> None:
        """Set a channel variable or a function such as TIMEOUT(absolute). The value is taken literally."""
        await self.command("SET VARIABLE", name, value)

    async def get_variable(self, name: str) -> str | None:
        """A variable's or function's value (Asterisk gives the first 1,023 bytes); None if it is not set."""
        reply = await self.command("GET VARIABLE", name)
        return (reply.data or "") if reply.result == "1" else None

    async def _media(self, verb: str, *arguments: str | int, limit: float | None = None) -> AgiReply:
        if self.hung_up:
            # EXEC would run on a dead channel.
            raise ChannelLeft(verb)
        reply = await self.command(verb, *arguments, limit=self._media_timeout if limit is None else limit)
        if not reply.result.startswith("-"):
            return reply
        # A missing file and a caller who is gone give the same answer. Where he is gone a HANGUP line
        # follows, but not in a session that began on a dead channel: so ask for something that only a
        # living channel may answer.
        if not self.hung_up:
            await self.command("CHANNEL STATUS")
        if self.hung_up:
            raise ChannelLeft(verb)
        raise CommandRefused(reply.code, f"{verb}: {reply.text}")

    # -- called by the door ----------

    def take(self, event: AgiReply | LeftNotice) -> None:
        """An event from the wire."""
        if isinstance(event, LeftNotice):
            self.left.set()
        elif self._owed:
            self._owed -= 1
            self._count("late_replies")
        elif self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if waiter.done():
                self._count("late_replies")
            else:
                waiter.set_result(event)
        else:
            self._count("unasked_replies")
            self._unasked += 1
            if self._unasked > MAX_NOISE:
                self._transport.abort()
                self.lose("answers nobody asked for")

    def lose(self, reason: str) -> None:
        """The socket is gone: end of file is a hang-up."""
        self._gone = self._gone or reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.left.set()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(ChannelLeft(reason))

    def _expire_at(self, when: float) -> None:
        # One timer a session, not one a command: with uvloop a timer costs as much as the rest of a command.
        self._expires = when
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        now = self._loop.time()
        if now < self._expires:
            self._expire_at(self._expires)
            return
        if not self._last_look or now - self._expires > LAST_LOOK:
            # were we frozen until now, the answer may lie in the socket, unread
            self._last_look = True
            self._expire_at(now + LAST_LOOK)
            return
        self._count("command_timeouts")
        waiter.set_exception(CommandTimeout("no answer in time"))

    def _owe(self) -> None:
        self._owed += 1
        if self._owed >= MAX_OWED:
            self._transport.abort()
            self.lose(f"{self._owed} answers owed")


def _digit(reply: AgiReply) -> str:
    """`result` is the digit's ASCII code, 0 for none."""
    if reply.result == "0":
        return ""
    if not re.fullmatch(r"[0-9]{1,3}", reply.result) or not (digit := chr(int(reply.result))).isprintable():
        raise CommandRefused(reply.code, reply.text)
    return digit
