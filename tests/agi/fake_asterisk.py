"""The Asterisk end of a FastAGI connection, scripted, for faults a real one cannot be made to show."""

import asyncio
from types import TracebackType
from typing import Self

WAIT = 30.0  # seconds; a limit for a broken test, never a measure


class FakeAsterisk:
    """One connection. `async with FakeAsterisk(port) as peer:`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()
        # A task behind an aborted socket still runs once more.
        await asyncio.sleep(0)

    def send(self, *lines: str | bytes) -> None:
        for line in lines:
            self.writer.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def greet(self, script: str = "call", **variables: str | bytes) -> None:
        """Send the header; a keyword `calleridname=` becomes `agi_calleridname`."""
        fields: dict[str, str | bytes] = {
            "network": "yes",
            "network_script": script,
            "channel": "PJSIP/trunk-00000001",
            "uniqueid": "1700000000.1",
            "callerid": "306912345678",
            "calleridname": "unknown",
            "dnid": "2100",
            "extension": "2100",
            **variables,
        }
        for name, value in fields.items():
            raw = value if isinstance(value, bytes) else value.encode()
            self.send(f"agi_{name}: ".encode() + raw)
        self.send("")

    async def command(self) -> str:
        """The next command line, without its newline; "" at end of file."""
        async with asyncio.timeout(WAIT):
            return (await self.reader.readline()).decode().removesuffix("\n")

    async def serve(self, *answers: str | bytes) -> list[str]:
        """Answer one command with each of `answers`; the commands."""
        seen = []
        for answer in answers:
            seen.append(await self.command())
            self.send(answer)
        return seen

    async def ended(self) -> bytes:
        """Wait until the server closes; what it sent until then."""
        async with asyncio.timeout(WAIT):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""
