from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from control_rig import Board, mode_of

from ccbridge.control.server import ControlServer


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
async def server(board: Board, path: Path) -> AsyncIterator[ControlServer]:
    one = ControlServer(path, board.commands().handlers(), connection_cap=4, line_timeout=5.0)
    await one.start()
    yield one
    await one.stop()
    assert one.connections == set()
    assert mode_of(path) is None
