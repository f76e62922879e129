"""Free ports: one that is kept for a server is nobody else's while that server is down."""

import asyncio
import socket

import pytest

from ccbridge.lab import ports
from ccbridge.lab.errors import LabError


async def test_a_kept_port_is_for_its_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.free_tcp()
    monkeypatch.setattr(ports, "LOWEST", port)
    monkeypatch.setattr(ports, "HIGHEST", port + 2)
    with ports.kept_tcp("127.0.0.1", port):
        for _ in range(2):
            server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
            with pytest.raises(LabError, match="No free port"):
                ports.free_tcp()
            server.close()
            await server.wait_closed()
            with pytest.raises(LabError, match="No free port"):
                ports.free_tcp()
            with socket.socket() as caller, pytest.raises(ConnectionRefusedError):
                caller.connect(("127.0.0.1", port))
    assert ports.free_tcp() == port
