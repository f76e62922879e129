"""FastAGI sessions per second: AgiServer against panoramisk's own fast_agi, in the same go.

    python tests/bench/bench_agi.py [sessions]

Ten commands a session, 100 sessions at once, one server process and one client process over loopback; the
median of three. Absolute figures are this machine's; look at the ratio.
"""

import asyncio
import importlib.util
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

COMMANDS = 10
AT_ONCE = 100
HEADER = (
    "agi_network: yes\nagi_network_script: call\n"
    + "".join(f"agi_field_{n}: some value {n}\n" for n in range(18))
    + "agi_channel: PJSIP/trunk-00000001\nagi_uniqueid: 1700000000.1\n\n"
).encode()


def run(main: Any, fast: bool) -> Any:
    if fast:
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


async def ours(pipe: Connection) -> None:
    from ccbridge.agi.server import AgiServer, AgiSession

    async def call(session: AgiSession) -> None:
        for _ in range(COMMANDS):
            await session.get_variable("NAME")

    server = AgiServer()
    server.add_route("call", call)
    await server.start("127.0.0.1", 0)
    pipe.send(server.port)
    await asyncio.Event().wait()


async def stock(pipe: Connection) -> None:
    from panoramisk import fast_agi

    async def call(request: Any) -> None:
        for _ in range(COMMANDS):
            await request.send_command('GET VARIABLE "NAME"')

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("call", call)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(which: str, fast: bool, pipe: Connection) -> None:
    import logging

    logging.disable()
    run({"stock": stock, "ours": ours}[which](pipe), fast)


class Peer(asyncio.Protocol):
    """One call after another, each a connection of its own; answers as fast as it is asked."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ended = asyncio.get_running_loop().create_future()
        transport.write(HEADER)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"200 result=1 (some value)\n" * data.count(b"\n"))

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(None)


async def load(port: int, sessions: int) -> float:
    loop = asyncio.get_running_loop()

    async def caller(number: int) -> None:
        for _ in range(number):
            _, peer = await loop.create_connection(Peer, "127.0.0.1", port)
            await peer.ended

    began = time.perf_counter()
    await asyncio.gather(*(caller(sessions // AT_ONCE) for _ in range(AT_ONCE)))
    return sessions // AT_ONCE * AT_ONCE / (time.perf_counter() - began)


def measure(which: str, fast: bool, sessions: int, has_uvloop: bool) -> float:
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(which, fast, theirs), daemon=True)
    server.start()
    try:
        port = mine.recv()
        run(load(port, AT_ONCE), has_uvloop)  # warm up
        return statistics.median(run(load(port, sessions), has_uvloop) for _ in range(3))
    finally:
        server.terminate()
        server.join()


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    print(f"{'server':28}{'sessions/s':>12}{'ratio':>8}")
    base = 0.0
    for fast in (False, True) if has_uvloop else (False,):
        for which, name in (("stock", "panoramisk fast_agi"), ("ours", "ccbridge AgiServer")):
            rate = measure(which, fast, sessions, has_uvloop)
            base = base or rate
            print(f"{name + (' + uvloop' if fast else ''):28}{rate:12,.0f}{rate / base:8.2f}")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
