"""The control socket: how people and programs on this machine ask the daemon, one JSON object a line."""

from ccbridge.control.client import ControlClient, DaemonAway
from ccbridge.control.commands import Commands
from ccbridge.control.server import ControlServer, SocketTaken
from ccbridge.control.wire import Answer, Refused

__all__ = ["Answer", "Commands", "ControlClient", "ControlServer", "DaemonAway", "Refused", "SocketTaken"]
