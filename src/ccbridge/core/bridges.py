"""Who is with whom: the bridges of the PBX, of all channels, as its events tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ccbridge.core.inputs import Place


@dataclass(slots=True)
class Bridges:
    """A pair of ``Local/...;1`` and ``;2`` is a wire: whoever is at one end hears who is at the other."""

    where: dict[str, str] = field(default_factory=dict)  # channel -> bridge
    members: dict[str, dict[str, str]] = field(default_factory=dict)  # bridge -> channel -> its name
    local: dict[str, str] = field(default_factory=dict)  # name of a Local channel in a bridge -> channel

    def enter(self, channel: str, bridge: str, name: str, swap: str = "") -> None:
        """``swap`` is the channel whose place this one takes."""
        self.leave(channel)
        self.leave(swap)
        self.where[channel] = bridge
        self.members.setdefault(bridge, {})[channel] = name
        if name.startswith("Local/"):
            self.local[name] = channel

    def leave(self, channel: str, bridge: str = "") -> None:
        """Out of ``bridge``, or of whichever it is in; nothing if it is in another one by now."""
        if self.where.get(channel) not in ((bridge,) if bridge else self.members):
            return
        left = self.where.pop(channel)
        name = self.members[left].pop(channel)
        self.local.pop(name, None)
        if not self.members[left]:
            del self.members[left]

    def see(self, places: Iterable[Place]) -> None:
        """Put right what these channels' places show otherwise."""
        for place in places:
            if place.bridge != self.where.get(place.channel, ""):
                self.leave(place.channel)
                if place.bridge:
                    self.enter(place.channel, place.bridge, place.name)

    def of_device(self, device: str) -> list[str]:
        """Channels of this phone (``PJSIP/1001``) that are in a bridge."""
        return [
            channel
            for members in self.members.values()
            for channel, name in members.items()
            if name.rpartition("-")[0] == device
        ]

    def around(self, channel: str) -> dict[str, str]:
        """All who hear each other, this channel and its company, without the wires; channel -> name."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        ahead = [self.where.get(channel, "")]
        while ahead:
            bridge = ahead.pop()
            if bridge in seen or bridge not in self.members:
                continue
            seen.add(bridge)
            for one, name in self.members[bridge].items():
                if name.startswith("Local/"):
                    other_end = name[:-1] + ("2" if name.endswith("1") else "1")
                    ahead.append(self.where.get(self.local.get(other_end, ""), ""))
                else:
                    found[one] = name
        return found
