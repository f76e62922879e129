"""A phone that is registered and dead: its REGISTER is real, and then nobody reads its socket.

This is what a phone behind a router that forgot it looks like to the PBX (RFC 3261, digest as in RFC 2617).
"""

import asyncio
import hashlib
import re
import secrets
import socket

from ccbridge.lab.errors import LabError

ATTEMPTS = 5
ATTEMPT_S = 1.0


class DeadContact:
    """A registered UDP contact, made within a running loop. `close()` leaves the registration to expire."""

    def __init__(self, address: str, *, answers_options: bool) -> None:
        self._answers_options = answers_options
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, 0))
        self.host, self.port = self._socket.getsockname()
        self._tag, self._call = secrets.token_hex(6), secrets.token_hex(10)

    async def register(
        self, registrar: tuple[str, int], user: str, password: str, expires_s: int = 300
    ) -> None:
        """Register `user` here (0: take it back). Raises LabError if the registrar refuses or is silent."""
        asyncio.get_running_loop().remove_reader(self._socket)
        host, port = registrar
        reply = await self._exchange(registrar, self._request(registrar, user, 1, expires_s, ""))
        if reply.startswith("SIP/2.0 401"):
            realm = _quoted(reply, "realm")
            nonce = _quoted(reply, "nonce")
            uri = f"sip:{host}:{port}"
            inner = _md5(f"{user}:{realm}:{password}")
            outer = _md5(f"REGISTER:{uri}")
            credentials = (
                f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
                f'algorithm=MD5, qop=auth, nc=00000001, cnonce="lab", '
                f'response="{_md5(f"{inner}:{nonce}:00000001:lab:auth:{outer}")}"'
            )
            opaque = re.search(r'opaque="([^"]*)"', reply)
            if opaque:
                credentials += f', opaque="{opaque[1]}"'
            reply = await self._exchange(
                registrar, self._request(registrar, user, 2, expires_s, credentials + "\r\n")
            )
        if not reply.startswith("SIP/2.0 200"):
            raise LabError(f"The PBX refused to register {user}: {reply.splitlines()[0]}.", "")
        asyncio.get_running_loop().add_reader(self._socket, self._answer_options)

    def close(self) -> None:
        """Free the port."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _answer_options(self) -> None:
        """The one thing that a hanging phone still does. All else that arrives is read and forgotten."""
        data, peer = self._socket.recvfrom(8192)
        request = data.decode(errors="replace")
        if request.startswith("OPTIONS ") and self._answers_options:
            kept = [
                line
                for line in request.split("\r\n")
                if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))
            ]
            self._socket.sendto(
                "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), peer
            )

    def _request(
        self, registrar: tuple[str, int], user: str, number: int, expires_s: int, credentials: str
    ) -> bytes:
        host, port = registrar
        here = f"{self.host}:{self.port}"
        return (
            f"REGISTER sip:{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{secrets.token_hex(8)}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{host}>;tag={self._tag}\r\nTo: <sip:{user}@{host}>\r\n"
            f"Call-ID: {self._call}\r\nCSeq: {number} REGISTER\r\nContact: <sip:{user}@{here}>\r\n"
            f"Expires: {expires_s}\r\n{credentials}Content-Length: 0\r\n\r\n"
        ).encode()

    async def _exchange(self, registrar: tuple[str, int], request: bytes) -> str:
        loop = asyncio.get_running_loop()
        for _ in range(ATTEMPTS):
            await loop.sock_sendto(self._socket, request, registrar)
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    while True:
                        reply = (await loop.sock_recv(self._socket, 8192)).decode(errors="replace")
                        if reply.startswith("SIP/2.0 ") and not reply.startswith("SIP/2.0 1"):
                            return reply
            except TimeoutError:
                continue
        raise LabError(
            f"The PBX at {registrar[0]}:{registrar[1]} does not answer a REGISTER.", "Is it running?"
        )


def _quoted(text: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', text)
    if found is None:
        raise LabError(f"The PBX's challenge has no {name}.", "")
    return found[1]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
