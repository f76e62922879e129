"""A wire between the daemon and Asterisk's AMI on which chosen events get lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

END = b"\r\n\r\n"


class Sieve:
    """Listens on ``port`` and passes everything on to ``target``; the events that ``loses`` chooses get lost.

    It gets a message's headers, names as Asterisk spells them. Threads of its own: a test may block.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.loses: Callable[[dict[str, str]], bool] = lambda message: False
        self.lost: list[dict[str, str]] = []
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = [self._listening]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, sieved: bool) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            if sieved:
                sink.sendall(source.recv(65536))  # the greeting, which is no message
            while data := source.recv(65536):
                if sieved:
                    *whole, rest = (rest + data).split(END)
                    data = b"".join(one + END for one in whole if not self._is_lost(one))
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _is_lost(self, message: bytes) -> bool:
        lines = message.decode(errors="replace").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        if "ActionID" in headers or not self.loses(headers):
            return False
        self.lost.append(headers)
        return True

    def cut(self) -> None:
        """Close the connections that are open; whoever comes again gets another one."""
        for one in self._open[1:]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
