"""The other end, for the command line: plain blocking calls, each within a time limit."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ccbridge.control.address import reachable
from ccbridge.control.wire import Answer

# The longest real one, 500 calls in line and their agents, is well under 1 MB.
ANSWER_LIMIT = 16 * 1024 * 1024


class DaemonAway(Exception):
    """No daemon answers on the socket; the message is one sentence for whoever asked."""


class ControlClient:
    """One connection to the daemon's control socket.

    ``timeout`` is the limit in seconds for the connection and for each answer.
    Raises DaemonAway if nobody listens there, or the socket may not be used by this user.
    """

    def __init__(self, path: Path, timeout: float = 15.0) -> None:
        self.path = path
        self.timeout = timeout
        self._asked = 0
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect()
        except PermissionError as error:
            self.close()
            raise DaemonAway(
                f"{path} may not be used by this user: it is open to the daemon's user and group"
            ) from error
        except BlockingIOError as error:
            self.close()
            raise DaemonAway(f"the ccbridge daemon on {path} is too busy to answer") from error
        except OSError as error:
            self.close()
            raise DaemonAway(
                f"no ccbridge daemon answers on {path}: start it with `ccbridge run -c FILE`"
            ) from error

    def _connect(self) -> None:
        """A full backlog is no refusal: others knock at this moment, too. Raises OSError."""
        self._socket.settimeout(self.timeout)
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                with reachable(self.path) as name:
                    return self._socket.connect(name)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def ask(self, do: str, **fields: Any) -> Answer:
        """Send one request and wait for its answer. Raises DaemonAway if none comes."""
        self._asked += 1
        line = json.dumps({"id": self._asked, "do": do, **fields}).encode("ascii") + b"\n"
        try:
            self._socket.sendall(line)
            raw = self._line()
            answer = json.loads(raw)
            return Answer(bool(answer["ok"]), str(answer["text"]), answer["data"])
        except TimeoutError as error:
            raise DaemonAway(f"the ccbridge daemon on {self.path} has not answered in time") from error
        except OSError as error:
            raise DaemonAway(
                f"the ccbridge daemon on {self.path} has closed the connection without an answer"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DaemonAway(f"what answers on {self.path} is no ccbridge daemon") from error

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> bytes:
        """One line. The limit is for the whole of it: a peer that dribbles does not hold us."""
        deadline = time.monotonic() + self.timeout
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(262_144)
            if not data:
                raise ConnectionResetError
            parts.append(data)
            size += len(data)
            if size > ANSWER_LIMIT:
                raise ValueError(f"an answer longer than {ANSWER_LIMIT} bytes")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line
