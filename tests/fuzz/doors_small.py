"""The control socket, the configuration file, and numbers from outside."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import mutate
from door_ami import EXAMPLE, Wire

from ccbridge.config import ConfigErrors, load
from ccbridge.config.mistakes import Mistake
from ccbridge.control.commands import Commands
from ccbridge.control.server import Connection, ControlServer
from ccbridge.control.wire import LINE_LIMIT, Answer
from ccbridge.core import inputs as i
from ccbridge.core.effects import Reply
from ccbridge.core.switchboard import Switchboard
from ccbridge.numbers import parse_caller

LINES = tuple(
    json.dumps(one).encode()
    for one in (
        {"id": 1, "do": "status"},
        {"id": "x", "do": "queue.list"},
        {"id": 2, "do": "queue.show", "queue": "sales"},
        {"do": "agent.list"},
        {"do": "agent.show", "agent": "anna"},
        {"do": "agent.login", "agent": "anna"},
        {"do": "agent.pause", "agent": "anna", "reason": "lunch"},
        {"do": "agent.unpause", "agent": "anna"},
        {"do": "agent.logout", "agent": "Ελένη"},
        {"id": None, "do": "call.list", "queue": "support"},
        {"do": "call.waiting"},
        {"id": 10**15, "do": "call.show", "call": "pbx-1795323949.0"},
        {"do": "reload"},
    )
)


class Asker(Wire):
    def __init__(self) -> None:
        super().__init__()
        self.over = False

    def write(self, data: Any) -> None:
        answer = json.loads(data)
        assert set(answer) == {"id", "ok", "text", "data"}, answer
        assert "inside the daemon" not in answer["text"], answer
        assert answer["text"].isprintable(), answer

    def abort(self) -> None:
        self.over = True

    def close(self) -> None:
        self.over = True


class Control:
    name = "control"
    share = 0.15

    def __init__(self) -> None:
        self.site = load(EXAMPLE, secrets=False)

    async def episode(self, rng: Random) -> AsyncIterator[None]:
        """One client, line after line, with a real switchboard behind it."""
        board = Switchboard(self.site.plan, "f")
        board.handle(i.LinkUp(1.0, i.Snapshot((), {})), 1.0)

        async def ask(make: Any) -> Reply:
            return next(one for one in board.handle(make(7), 2.0) if isinstance(one, Reply))

        async def reload(dry_run: bool) -> Answer:
            return Answer(True, "done")

        server = ControlServer(Path("unused"), Commands(board, ask, reload, lambda drain: None).handlers())
        connection, peer = Connection(server), Asker()
        connection.connection_made(peer)
        for _ in range(40):
            line = rng.choice(LINES)
            if rng.randrange(5):
                line = mutate.mutated(rng, line)
            for segment in mutate.cut(rng, line + b"\n"):
                connection.data_received(segment)
            for _ in range(12):
                await asyncio.sleep(0)
                if connection._task is None:
                    break
            assert not server.counts["failed"], "a command failed inside the daemon"
            assert len(connection._buffer) <= 2 * LINE_LIMIT
            yield
            if peer.over:
                break
        connection.connection_lost(None)
        for _ in range(4):
            await asyncio.sleep(0)
        assert not server.connections
        assert not server._tasks


class Config:
    name = "config"
    share = 0.002

    def __init__(self) -> None:
        self.whole = EXAMPLE.read_bytes()
        lines = [line for line in self.whole.splitlines(keepends=True) if not line.lstrip().startswith(b"#")]
        self.bare = b"".join(lines)
        words = (b": ", b"- ", b"\n  ", b"&a ", b"*a", b"!!int ", b"? ", b"| ", b"<<: *a\n", b"~", b"---\n")
        self.words = (*words, *lines)

    async def episode(self, rng: Random) -> AsyncIterator[None]:
        """A site, or ConfigErrors with at least one line that can be printed; nothing else."""
        content = mutate.mutated(rng, rng.choice((self.whole, self.bare)), self.words)
        if rng.randrange(2):  # a short file: most of what is slow is left out
            at = rng.randrange(len(content) + 1)
            content = content[at : at + rng.randrange(400)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ccbridge.yml"
            file.write_bytes(content)
            file.chmod(0o600)
            mistakes = _mistakes(file)
        assert mistakes is None or mistakes, "an error without a mistake"
        for mistake in map(str, mistakes or ()):
            assert "\n" not in mistake
            mistake.encode("utf-8")
        yield


def _mistakes(file: Path) -> list[Mistake] | None:
    try:
        load(file, environ={})
    except ConfigErrors as errors:
        return list(errors.mistakes)
    return None


NUMBERS = (
    b"+302101234567", b"2101234567", b"6912345678", b"00306912345678", b"1001", b"anonymous", b"<unknown>",
    b"+1 (212) 555-0100", b"tel:+30-210-1234567;ext=12", b"sip:+302101234567@host;user=phone", b"911", b"*72",
    b"+800 1234 5678", "٣٠٢١٠١٢٣٤٥٦٧".encode(), b"0800CCBRIDGE",
)  # fmt: skip
# fifteen digits by E.164, but Germany has given out longer ones
_E164 = re.compile(r"\+[1-9][0-9]{5,17}", re.ASCII)


class Numbers:
    name = "numbers"
    share = 0.148

    async def episode(self, rng: Random) -> AsyncIterator[None]:
        for _ in range(50):
            raw = mutate.mutated(rng, rng.choice(NUMBERS)).decode("utf-8", "replace")
            kind, e164 = parse_caller(raw, rng.choice(("GR", "DE", "US", "GB")))
            assert kind in ("e164", "internal", "anonymous", "unparsable"), (raw, kind)
            assert (kind == "e164") == (e164 is not None), (raw, kind, e164)
            assert e164 is None or _E164.fullmatch(e164), (raw, e164)
            yield
