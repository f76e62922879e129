"""Who asks: the user at the other end of the control socket, as the kernel knows him."""

from __future__ import annotations

import pwd
import socket
import struct
from contextvars import ContextVar

NOBODY = "unknown"
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED

# Set for the time of a request, by the connection that it came over.
asker: ContextVar[str] = ContextVar("asker", default=NOBODY)


def user_of(connection: socket.socket | None) -> str:
    """His log-in name, or ``uid 1234`` for one who has none."""
    if connection is None:
        return NOBODY
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(raw)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
