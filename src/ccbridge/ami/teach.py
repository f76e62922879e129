"""Telling the dialplan what the configuration says, and looking whether it has what we send callers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from .client import AmiClient
from .errors import ActionRefused

log = structlog.get_logger(__name__)

# A Redirect to a place that does not exist drops the call, and is answered with Success.
TARGETS = (
    ("ccbridge-in", "menu"),
    ("ccbridge-hold", "s"),
    ("ccbridge-offer", "_o."),
    ("ccbridge-press-1", "s"),
    ("ccbridge-outcome", "_o."),
    ("ccbridge-exit", "_[0-9A-Za-z*#_]!"),
    ("ccbridge-message", "s"),
    ("ccbridge-fallback", "s"),
    ("ccbridge-monitor", "_m."),
    ("ccbridge-takeover", "_t."),
    ("ccbridge-notice", "spy"),
    ("ccbridge-score", "s"),
    ("ccbridge-brief", "s"),
)


async def teach(client: AmiClient, values: Mapping[str, str], exits: Iterable[tuple[str, str]]) -> None:
    """Set globals, and report every target of ours, and of ``exits`` (context, extension), that is missing.

    Raises AmiError when the link fails.
    """
    for name, value in values.items():
        await client.action({"Action": "Setvar", "Variable": name, "Value": value})
    for context, extension in (*TARGETS, *exits):
        try:
            await client.action_list(
                {"Action": "ShowDialPlan", "Context": context, "Extension": extension},
                complete="ShowDialPlanComplete",
            )
        except ActionRefused as refused:
            log.error("pbx.missing_extension", context=context, extension=extension, why=str(refused))
