"""Who listens: FastAGI, metrics, the control socket."""

from __future__ import annotations

import asyncio
import socket

from ccbridge.doctor.finding import Finding, Findings, fail, ok, warn
from ccbridge.doctor.visit import STEP, Visit


async def check(visit: Visit) -> Findings:
    site = visit.site
    doors = {"agi": (site.agi.host, site.agi.port), "metrics": (site.metrics.host, site.metrics.port)}
    for key, (host, port) in doors.items():
        if port:
            yield await (_answers if visit.daemon is not None else _is_free)(key, host, port)
    if site.agi.host not in ("127.0.0.1", "::1", "localhost"):
        yield warn(
            f"agi.host is {site.agi.host}: FastAGI has no password; whoever reaches it can act as Asterisk",
            "127.0.0.1 when Asterisk is on this machine, else a firewall that lets only the PBX in",
        )


async def _answers(key: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(STEP):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except OSError as error:  # TimeoutError is one of them
        return fail(
            f"{key}: nobody answers on {host}:{port} ({error or 'no answer in time'})",
            "the daemon was started with another configuration: `systemctl restart ccbridge`",
        )
    return ok(f"{key}: the daemon listens on {host}:{port}")


async def _is_free(key: str, host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return fail(
                f"{key}: {host}:{port} cannot be had ({error.strerror})",
                f"`ss -ltnp sport = :{port}` says who has it; {key}.port",
            )
    return ok(f"{key}: {host}:{port} is free for the daemon")
