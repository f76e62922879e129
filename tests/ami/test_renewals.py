"""Limits of callers in the menu: renewed while they last, and never set on a caller who has been let go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccbridge.ami import renewals
from ccbridge.ami.renewals import Renewals


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Client:
    """Takes actions and answers none."""

    up = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send_many(self, actions: list[dict[str, str]]) -> list[asyncio.Future[Any]]:
        self.sent += [(action["Channel"], action["Value"]) for action in actions]
        return [asyncio.get_running_loop().create_future() for _ in actions]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(renewals, "time", one)
    return one


async def test_a_limit_that_is_over_is_not_set_again(clock: Clock) -> None:
    client = Client()
    held = Renewals(client, 10.0)  # type: ignore[arg-type]
    held.hold("pbx-1", 10.0)
    clock.now += 8.0
    held.hold("pbx-2", 10.0)
    held.renew()
    clock.now += 9.9
    held.renew()
    assert client.sent == [("pbx-1", "10"), ("pbx-2", "10")] * 2
    clock.now += 10.1  # we were frozen: Asterisk has let both go
    held.renew()
    held.hold("pbx-3", 10.0)
    held.renew()
    assert client.sent[4:] == [("pbx-3", "10")]


async def test_a_long_limit_set_while_the_link_was_down_is_renewed_when_it_is_back(clock: Clock) -> None:
    client = Client()
    held = Renewals(client, 10.0)  # type: ignore[arg-type]
    held.hold("pbx-1", 124.0)
    clock.now += 60.0
    held.renew()
    assert client.sent == [("pbx-1", "10")]
