"""A key with a lamp on a desk phone: a real SUBSCRIBE, and the NOTIFYs that come of it (RFC 6665)."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import socket

ACCEPT = {"dialog": "application/dialog-info+xml", "presence": "application/pidf+xml"}
ANSWER_LIMIT = 5.0


class LampKey:
    """Watches one extension at the PBX as a phone does. ``told`` holds what each NOTIFY said: for ``dialog``
    the state of the dialog (confirmed is lit, terminated is dark), for ``presence`` the note."""

    def __init__(self, pbx: tuple[str, int], user: str, password: str, exten: str, event: str = "dialog"):
        self.told: list[str] = []
        self._pbx, self._user, self._password, self._exten, self._event = pbx, user, password, exten, event
        self._tag, self._call, self._number = secrets.token_hex(6), secrets.token_hex(10), 0
        self._peer = ""  # the To header of the PBX's answer: its tag makes the dialog
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((pbx[0], 0))
        self._answer: asyncio.Future[str] | None = None
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def lamp(self) -> str:
        """What the phone shows now."""
        return self.told[-1] if self.told else ""

    async def subscribe(self, expires: int = 600) -> int:
        """The last status of the PBX's answers."""
        answer = await self._ask(expires, "")
        if answer.startswith("SIP/2.0 401"):
            answer = await self._ask(expires, self._credentials(answer))
        if to := re.search(r"^To: ?(.*)$", answer, re.M | re.I):
            self._peer = to[1].strip()
        return int(answer.split()[1])

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def _ask(self, expires: int, credentials: str) -> str:
        self._number += 1
        host, port = self._pbx
        here = "{}:{}".format(*self._socket.getsockname())
        target = f"sip:{self._exten}@{host}:{port}"
        lines = [
            f"SUBSCRIBE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards: 70",
            f"From: <sip:{self._user}@{host}>;tag={self._tag}",
            f"To: {self._peer or f'<{target}>'}",
            f"Call-ID: {self._call}",
            f"CSeq: {self._number} SUBSCRIBE",
            f"Contact: <sip:{self._user}@{here}>",
            f"Event: {self._event}",
            f"Accept: {ACCEPT[self._event]}",
            f"Expires: {expires}",
            *([credentials] if credentials else []),
            "Content-Length: 0",
        ]
        self._answer = asyncio.get_running_loop().create_future()
        self._socket.sendto("\r\n".join([*lines, "", ""]).encode(), self._pbx)
        async with asyncio.timeout(ANSWER_LIMIT):
            return await self._answer

    def _credentials(self, challenge: str) -> str:
        def said(name: str) -> str:
            found = re.search(rf'{name}="([^"]*)"', challenge)
            return found[1] if found else ""

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        realm, nonce, uri = said("realm"), said("nonce"), f"sip:{self._exten}@{self._pbx[0]}:{self._pbx[1]}"
        inner, outer = md5(f"{self._user}:{realm}:{self._password}"), md5(f"SUBSCRIBE:{uri}")
        return (
            f'Authorization: Digest username="{self._user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'algorithm=MD5, qop=auth, nc=00000001, cnonce="lab", opaque="{said("opaque")}", '
            f'response="{md5(f"{inner}:{nonce}:00000001:lab:auth:{outer}")}"'
        )

    def _read(self) -> None:
        text = self._socket.recv(65_536).decode(errors="replace")
        if text.startswith("SIP/2.0 "):
            if self._answer is not None and not self._answer.done() and not text.startswith("SIP/2.0 1"):
                self._answer.set_result(text)
            return
        kept = [
            line
            for line in text.split("\r\n")
            if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))
        ]
        self._socket.sendto(
            "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), self._pbx
        )
        body = text.partition("\r\n\r\n")[2]
        tag = "state" if self._event == "dialog" else "note"
        if text.startswith("NOTIFY ") and (found := re.search(rf"<{tag}>([^<]*)</{tag}>", body)):
            self.told.append(found[1])
