"""FastAGI sessions per second: AgiServer against panoramisk's own fast_agi, in the same go.

    python tests/bench/bench_agi.py [sessions]

A menu of five steps is ten commands (play, wait); 100 sessions at once, one server process and one client
process over loopback. Rounds alternate between the servers; the figures are medians of user and system time.
Each server runs on asyncio's loop and on uvloop, and is held against panoramisk on asyncio, as it comes, and
against panoramisk on the same loop. Look at the ratios.
"""

import asyncio
import importlib.util
import multiprocessing
import os
import statistics
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

COMMANDS = 10
AT_ONCE = 100
ROUNDS = 5
NAMES = {"stock": "panoramisk fast_agi", "ours": "ccbridge AgiServer"}
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


def cpu_seconds(pid: int | None) -> float:
    """User and system time of a process: what else the machine does hardly counts."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, sessions: int) -> int:
    """So many sessions, in whole rounds of all callers; how many it were."""
    loop = asyncio.get_running_loop()

    async def caller(number: int) -> None:
        for _ in range(number):
            _, peer = await loop.create_connection(Peer, "127.0.0.1", port)
            await peer.ended

    await asyncio.gather(*(caller(sessions // AT_ONCE) for _ in range(AT_ONCE)))
    return sessions // AT_ONCE * AT_ONCE


def ratio(rate: list[float], base: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(rate, base, strict=True))


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    if not has_uvloop:
        print("uvloop is not here (it comes with the extra `uvloop`): only asyncio's own loop is measured")
    contenders = [(which, fast) for fast in ((False, True) if has_uvloop else (False,)) for which in NAMES]
    servers, ports = [], []
    try:
        for which, fast in contenders:
            mine, theirs = multiprocessing.Pipe()
            servers.append(multiprocessing.Process(target=serve, args=(which, fast, theirs), daemon=True))
            servers[-1].start()
            ports.append(mine.recv())
        rates: list[list[float]] = [[] for _ in contenders]
        for number in range(ROUNDS + 1):
            for rate, port, server in zip(rates, ports, servers, strict=True):
                before = cpu_seconds(server.pid)
                done = run(load(port, sessions), has_uvloop)
                if number:  # the first round is for warming up
                    rate.append(done / (cpu_seconds(server.pid) - before))
    finally:
        for server in servers:
            server.terminate()
            server.join()
    head = "sessions a second of CPU", "rate", "beside panoramisk on asyncio", "on the same loop"
    print("{:28}{:>12}{:>32}{:>20}".format(*head))
    for number, ((which, fast), rate) in enumerate(zip(contenders, rates, strict=True)):
        beside = [ratio(rate, rates[0]), ratio(rate, rates[number - number % len(NAMES)])]
        name = NAMES[which] + (" + uvloop" if fast else "")
        print(f"{name:28}{statistics.median(rate):12,.0f}{beside[0]:32.2f}{beside[1]:20.2f}")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
