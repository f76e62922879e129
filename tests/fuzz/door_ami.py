"""The AMI door: bytes -> wire -> link -> client -> translate -> core -> records and actions."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import mutate

from ccbridge.ami import snapshot, translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import AmiError
from ccbridge.ami.link import MAX_PENDING, Link
from ccbridge.ami.wire import MAX_MESSAGE, AmiMessage
from ccbridge.config import load
from ccbridge.core import inputs as i
from ccbridge.core.effects import (
    Append,
    DropLeg,
    Effect,
    LookAt,
    LookUpCustomer,
    MoveOut,
    PlaceOffer,
    PlayOut,
    TellQueue,
)
from ccbridge.core.memory import Memory
from ccbridge.core.records import CdrRow, Record, to_dict
from ccbridge.core.switchboard import Switchboard
from ccbridge.numbers import parse_caller

EXAMPLE = Path(__file__).parents[2] / "config" / "ccbridge.yml"
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
EPOCH, START = 1_795_323_949.0, 1_000.0
LENGTH = 150  # messages of an episode
STATUS = (
    b"Event: Status\r\nActionID: @\r\nChannel: PJSIP/carrier-00000000\r\nChannelStateDesc: Up\r\n"
    b"CallerIDNum: +306900000001\r\nContext: ccbridge-hold\r\nExten: s\r\nUniqueid: pbx-1795323949.0\r\n"
    b"Linkedid: pbx-1795323949.0\r\nBridgeID: \r\nSeconds: 9\r\n"
    b"Variable: CCB_CALL=pbx-1795323949.0\r\nVariable: CCB_QUEUE=sales\r\nVariable: CCB_SINCE=(null)"
)
ANSWERS = (
    b"Response: Success\r\nActionID: @\r\nMessage: Redirect successful",
    b"Response: Error\r\nActionID: @\r\nMessage: No such channel",
    b"Response: Success\r\nActionID: @\r\nEventList: start\r\nMessage: Channel status will follow",
    STATUS,
    b"Event: StatusComplete\r\nActionID: @\r\nEventList: Complete\r\nListItems: 1",
)
_IDS = re.compile(rb"pbx-[0-9.]+|o[0-9a-f]+x[0-9]+")


def parse(raw: str) -> tuple[str, str | None]:
    return parse_caller(raw, "GR")


class Wire(asyncio.Transport):
    """Goes nowhere."""

    def write(self, data: Any) -> None:
        pass

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class House:
    """What the daemon does with AMI, without its loop: what the client brings goes straight to the core."""

    def __init__(self, site: Any) -> None:
        self.board, self.memory = Switchboard(site.plan, "f"), Memory()
        self.client = AmiClient(
            host="", port=0, username="", secret="", on_event=self.heard, on_down=self.down
        )
        self.raised: Exception | None = None
        self.client.loop = asyncio.get_running_loop()
        self.t = 0.0
        self.inbox: list[i.Input | CdrRow] = []
        self.offers: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.numbers = itertools.count(1)
        self.connect(())
        for agent in site.plan.agents:
            self.decide(i.LogIn(EPOCH, agent, 1))

    def connect(self, places: tuple[i.Place, ...]) -> None:
        self.link = Link(self.client._deliver, self.client._lost)
        self.link.connection_made(Wire())
        self.link.data_received(GREETING)
        self.client.protocol, self.client.state = self.link, "live"
        devices = {agent.device: "NOT_INUSE" for agent in self.board.world.plan.agents.values()}
        self.post(
            i.LinkUp(
                EPOCH + self.t, i.Snapshot(tuple(translate.named(one, parse) for one in places), devices)
            )
        )
        self.work()

    def heard(self, message: Any) -> None:
        try:
            event = translate.to_inbox(message, EPOCH + self.t, "pbx", parse)
        except Exception as error:
            self.raised = error  # the client would count it and go on: an event lost
            raise
        if event is not None:
            self.post(event)

    def down(self, reason: str) -> None:
        self.post(i.LinkDown(EPOCH + self.t, reason))

    def post(self, event: i.Input | CdrRow) -> None:
        self.inbox.append(event)

    def work(self) -> None:
        while self.inbox:
            thing = self.inbox.pop(0)
            if isinstance(thing, CdrRow):
                self.write(thing)
            else:
                self.decide(thing)

    def decide(self, event: i.Input) -> None:
        for effect in self.board.handle(event, START + self.t):
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        match effect:
            case Append():
                self.write(effect.record)
            case PlaceOffer() | MoveOut() | PlayOut() | TellQueue() | DropLeg():
                if isinstance(effect, PlaceOffer):
                    self.offers.append(effect.offer.encode())
                self.send(effect)
            case LookAt():
                task = asyncio.get_running_loop().create_task(self.look(effect.call))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            case LookUpCustomer():
                self.post(i.CustomerFound(EPOCH + self.t, effect.call, None, ""))

    def write(self, record: Record) -> None:
        self.memory.apply(record)
        json.dumps(to_dict(record), allow_nan=False).encode("ascii")

    def send(self, effect: PlaceOffer | MoveOut | PlayOut | TellQueue | DropLeg) -> None:
        """As the routing loop does it: of what cannot be put on the wire the core is told."""
        actions = [
            {**fields, "ActionID": f"f/{next(self.numbers)}"} for fields in translate.to_actions(effect)
        ]
        try:
            self.client.send_many(actions)
        except (ValueError, TypeError) as error:
            if not isinstance(effect, TellQueue | DropLeg):
                offer = effect.offer if isinstance(effect, PlaceOffer) else ""
                self.post(i.MoveFailed(EPOCH + self.t, effect.call, offer, str(error)))

    async def look(self, call: str) -> None:
        try:
            place = await snapshot.look(self.client, call)
        except (AmiError, ValueError):  # the loop reports it; the call's own limit asks again
            return
        self.post(i.CallLooked(EPOCH + self.t, call, place))


class Ami:
    name = "ami"
    share = 0.45

    def __init__(self) -> None:
        self.site = load(EXAMPLE, secrets=False)
        self.messages = [one for one in mutate.ami() if b"ListDialplan" not in one]
        headers = {line for one in self.messages for line in one.split(b"\r\n")}
        self.words = tuple(b"\r\n" + line for line in sorted(headers))

    async def episode(self, rng: Random) -> AsyncIterator[None]:
        house = House(self.site)
        begin = rng.randrange(len(self.messages))
        wild = rng.choice((0.1, 0.5, 0.9))
        for message in itertools.islice(itertools.cycle(self.messages), begin, begin + LENGTH):
            house.t += rng.choice((0.0, 0.0, 0.01, 0.5, 7.0))
            data = self._message(rng, house, message, wild)
            for segment in mutate.cut(rng, data + b"\r\n\r\n"):
                house.link.data_received(segment)
            house.work()
            due = house.board.next_deadline()
            if due is not None and due <= START + house.t:
                house.decide(i.Tick(EPOCH + house.t))
            await asyncio.sleep(0)
            if house.raised is not None:
                raise house.raised
            assert len(house.link.pending) <= MAX_PENDING
            assert len(house.link._inbound._rest) <= MAX_MESSAGE
            if rng.randrange(200) == 0:
                house.link.connection_lost(None)
            if house.link.closed:
                house.work()
                there = [mutate.mutated(rng, STATUS) for _ in range(rng.randrange(3))]
                house.connect(
                    tuple(snapshot.place(AmiMessage(one.decode("utf-8", "replace"))) for one in there)
                )
            yield
        house.link.close()
        for _ in range(2):
            await asyncio.sleep(0)

    def _message(self, rng: Random, house: House, message: bytes, wild: float) -> bytes:
        """The recorded message, or an answer to what is asked; about the calls and offers there are."""
        pending = list(house.link.pending)
        if pending and rng.randrange(2):
            message = rng.choice(ANSWERS)
        if house.offers and rng.randrange(3):
            offer = rng.choice(house.offers[-3:])
            message = _IDS.sub(lambda found: found[0] if found[0][:1] == b"p" else offer, message)
        if rng.randrange(3) == 0:  # all that is told is told of one call: they get further so
            message = re.sub(rb"\.[0-9]+\b(?=\r\n(?:Linkedid|Uniqueid))", b".0", message)
        if rng.random() < wild:
            message = mutate.mutated(rng, message, self.words)
        # last, since these ids are not the same in each run
        return message.replace(b"@", rng.choice(pending).encode()) if pending else message
