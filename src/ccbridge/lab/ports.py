"""Free ports on loopback addresses."""

import random
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from ccbridge.lab.errors import LabError

# Below the range from which Linux gives out ports of its own accord, so that a port found free stays free.
LOWEST, HIGHEST = 12000, 32000


def free_tcp(address: str = "127.0.0.1", *, but: Collection[int] = ()) -> int:
    """A TCP port of `address` on which nobody listens, and that nobody of `but` is going to use."""
    return _find(lambda port: port not in but and _bindable(socket.SOCK_STREAM, address, port))


def free_udp(*addresses: str) -> int:
    """A UDP port that is free on each of the addresses."""
    return _find(lambda port: all(_bindable(socket.SOCK_DGRAM, address, port) for address in addresses))


def free_rtp_range(size: int, *addresses: str) -> tuple[int, int]:
    """First and last port of `size` UDP ports in a row, the first one even."""

    def suits(port: int) -> bool:
        ports = range(port, port + size)
        return all(_bindable(socket.SOCK_DGRAM, address, one) for address in addresses for one in ports)

    first = _find(suits, span=size)
    return first, first + size - 1


@contextmanager
def kept_tcp(address: str, port: int) -> Iterator[None]:
    """Keep a port for a server that comes and goes: it may bind it, and `free_tcp` finds it taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((address, port))
        yield


def require_tcp(address: str, port: int) -> None:
    """Raises LabError if the port that the user asked for is taken."""
    # As the servers themselves do: a port whose last connection is still fading is free.
    if not _bindable(socket.SOCK_STREAM, address, port, shared=True):
        raise LabError(
            f"TCP port {port} on {address} is taken.", "Name another one, or none to get a free one."
        )


def require_udp(address: str, port: int) -> None:
    """Raises LabError if the port that the user asked for is taken."""
    if not _bindable(socket.SOCK_DGRAM, address, port):
        raise LabError(
            f"UDP port {port} on {address} is taken.", "Name another one, or none to get a free one."
        )


def _find(suits: Callable[[int], bool], *, span: int = 1) -> int:
    for _ in range(200):
        port = random.randrange(LOWEST, HIGHEST - span, 2)
        if suits(port):
            return port
    raise LabError(
        "No free port was found on the loopback addresses.", "End what occupies them and try again."
    )


def _bindable(kind: socket.SocketKind, address: str, port: int, *, shared: bool = False) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
