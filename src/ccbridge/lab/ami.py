"""A small AMI client for the lab alone: it must see what happens without the code that is being tested."""

import asyncio
import itertools
from collections.abc import Callable

from ccbridge.lab.asterisk import AmiDoor
from ccbridge.lab.errors import LabError

Message = dict[str, str]
ANSWER_LIMIT_S = 10.0


class AmiLink:
    """One logged-in connection. Listeners are called in the order of the events, in the reader's task."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._listeners: list[Callable[[Message], None]] = []
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, door: AmiDoor, events: str = "call,user,system,dtmf") -> "AmiLink":
        """Connect and log in. Raises LabError if nobody listens or the login is refused."""
        try:
            reader, writer = await asyncio.open_connection(door.host, door.port)
        except OSError as error:
            raise LabError(
                f"Nobody listens on AMI port {door.port} ({error.strerror}).", "Is the lab up?"
            ) from error
        await reader.readline()
        link = cls(reader, writer)
        await link.action("Login", Username=door.user, Secret=door.secret, Events=events)
        return link

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Call `listener` with each event from now on."""
        self._listeners.append(listener)

    async def action(
        self, name: str, *variables: str, until: str = "", check: bool = True, **fields: str
    ) -> list[Message]:
        """Send an action; the answer, then with `until` the events up to the one of that name.

        `variables` are `NAME=value`. Raises LabError on silence, and, with `check`, on an error answer.
        """
        number = f"lab-{next(self._ids)}"
        lines = [
            f"Action: {name}",
            f"ActionID: {number}",
            *(f"{key}: {value}" for key, value in fields.items()),
        ]
        lines += [f"Variable: {one}" for one in variables]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError(f"a line break in AMI action {name}")
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        collected: list[Message] = []
        complete = asyncio.Event()
        if until:

            def watch(event: Message) -> None:
                if event.get("ActionID") == number:
                    collected.append(event)
                    if event["Event"] == until:
                        complete.set()

            self._listeners.append(watch)
        try:
            self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            first = await asyncio.wait_for(answer, ANSWER_LIMIT_S)
            if first.get("Response") == "Error":
                if check:
                    raise LabError(f"Asterisk refused {name} {fields}: {first.get('Message', '')}.", "")
                return [first]
            if until:
                await asyncio.wait_for(complete.wait(), ANSWER_LIMIT_S)
        except TimeoutError as error:
            raise LabError(f"Asterisk did not answer {name} within {ANSWER_LIMIT_S:.0f} s.", "") from error
        finally:
            self._answers.pop(number, None)
            if until:
                self._listeners.remove(watch)
        return [first, *collected]

    async def close(self) -> None:
        """Hang up the connection; actions still unanswered fail."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def _read(self) -> None:
        message: Message = {}
        try:
            while line := await self._reader.readline():
                text = line.decode(errors="replace").rstrip("\r\n")
                if text:
                    key, _, value = text.partition(": ")
                    message[key.rstrip(":")] = value
                    continue
                self._deliver(message)
                message = {}
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(
                        LabError("The AMI connection of the lab ended.", "Is Asterisk running?")
                    )

    def _deliver(self, message: Message) -> None:
        if "Response" in message:
            answer = self._answers.get(message.get("ActionID", ""))
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif "Event" in message:
            for listener in tuple(self._listeners):
                listener(message)
