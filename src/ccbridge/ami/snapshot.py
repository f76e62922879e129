"""How the PBX stands: one ``Status`` of all channels with our variables, one list of device states."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from ccbridge.core.inputs import Place, Snapshot

from .client import AmiClient
from .errors import ActionRefused
from .translate import HOLDING_BRIDGE
from .wire import values

GONE_TOLD = 1.0  # seconds within which the end of a channel is told that a question does not find any more
VARIABLES = ("CCB_CALL", "CCB_QUEUE", "CCB_PRIORITY", "CCB_SINCE", "CCB_DID", "CCB_CAME", "CCB_REC")


async def take(client: AmiClient) -> Snapshot:
    """Ask for everything. About 5 ms at 200 calls; raises as the client's actions do."""
    channels = await client.action_list(
        {"Action": "Status", "Variables": ",".join(VARIABLES)}, complete="StatusComplete"
    )
    devices = await client.action_list({"Action": "DeviceStateList"}, complete="DeviceStateListComplete")
    lots = await _holding(client)
    return Snapshot(
        tuple(place(channel, lots) for channel in channels if channel.get("uniqueid")),
        {device.get("device", ""): device.get("state", "") for device in devices},
    )


async def look(client: AmiClient, channel: str) -> Place | None:
    """Where one channel is; None when there is no such channel, and its end has been told long since.

    Asterisk answers at once and tells events a moment later: the end of a channel that has just gone says
    who hung up, and is to be heard first.
    """
    found = await _look(client, channel)
    if found is None:
        await asyncio.sleep(GONE_TOLD)
        found = await _look(client, channel)
    return found


async def _look(client: AmiClient, channel: str) -> Place | None:
    try:
        found = await client.action_list(
            {"Action": "Status", "Channel": channel, "Variables": ",".join(VARIABLES)},
            complete="StatusComplete",
        )
    except ActionRefused:
        return None  # "No such channel" is the only refusal that a well-formed Status knows
    status = next((one for one in found if one.get("uniqueid") == channel), None)
    if status is None:
        return None
    return place(status, await _holding(client) if status.get("bridgeid") else ())


async def _holding(client: AmiClient) -> set[str]:
    """The bridges in which nobody hears another; ``Status`` does not tell them from others."""
    bridges = await client.action_list({"Action": "BridgeList"}, complete="BridgeListComplete")
    return {
        bridge.get("bridgeuniqueid", "")
        for bridge in bridges
        if bridge.get("bridgetechnology") == HOLDING_BRIDGE
    }


def place(status: Mapping[str, Any], holding: Collection[str] = ()) -> Place:
    """One ``Status`` event. Unset variables read ``(null)``. ``holding``: bridges that connect nobody."""
    variables: dict[str, str] = {}
    for line in values(status, "variable"):
        name, _, value = line.partition("=")
        if value and value != "(null)":
            variables[name] = value
    seconds = status.get("seconds", "") or "0"
    bridge = status.get("bridgeid", "") or ""
    return Place(
        channel=status.get("uniqueid", ""),
        name=status.get("channel", ""),
        linked=status.get("linkedid", ""),
        context=status.get("context", ""),
        exten=status.get("exten", ""),
        bridge="" if bridge in holding else bridge,
        seconds=float(seconds) if seconds.isdigit() else 0.0,
        up=status.get("channelstatedesc") == "Up",
        caller=status.get("calleridnum", "").replace("<unknown>", ""),
        variables=variables,
        parked=bridge in holding,
    )
