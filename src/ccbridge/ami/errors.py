"""How an AMI action, or the link itself, can end badly."""

from __future__ import annotations

from panoramisk.message import Message


class AmiError(Exception):
    """Root of everything the AMI client raises on purpose."""


class LoginRefused(AmiError):
    """Asterisk refused the user name or secret. Fatal: trying again cannot help."""


class ActionRefused(AmiError):
    """Asterisk answered, and the answer was no. `message` is its whole answer."""

    def __init__(self, message: Message) -> None:
        self.message = message
        super().__init__(message.get("message") or message.get("response") or "no reason given")


class ActionTimeout(AmiError):
    """No answer in time: the action may or may not have been done. It is never sent again."""


class LinkLost(AmiError):
    """The link went away. If `sent` is true the outcome is unknown, else the action never left us."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(f"{reason} ({'outcome unknown' if sent else 'never sent'})")


class WireError(AmiError):
    """The peer does not speak AMI: a foreign greeting, or a message without end."""


class BufferFull(AmiError):
    """More events that must not be lost than the buffer may hold."""
