"""Whatever comes to a door: no case hangs, none raises past it, memory stays bounded."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz_run import doors, fuzz

DOORS = pytest.mark.parametrize("door", doors(), ids=lambda door: str(door.name))


@DOORS
async def test_a_share(door: Any) -> None:
    print(await fuzz(door, round(20_000 * door.share)))


@pytest.mark.full
@DOORS
async def test_a_million(door: Any) -> None:
    print(await fuzz(door, round(1_000_000 * door.share)))
