"""``agi-bin/ccbridge-fallback``: which of Asterisk's own queues takes a caller while the daemon is away.

Asterisk runs it for each of them, so it stands alone: no daemon, no database, no configuration file (that one
holds secrets which Asterisk's user may not read). What it may choose is what ``ccbridge config queues`` wrote
into Asterisk's queues.conf, and Asterisk itself is asked whether it is there. If it fails, the dialplan
goes on to the general queue.
"""

from __future__ import annotations

import re
import sys

from asterisk.agi import AGIHangup

from ccbridge.agi.safe import SafeAGI

#: The queue for everybody, and with a dash the beginning of each queue's own.
QUEUE = "ccbridge-fallback"
# As in ccbridge.yml. The daemon has set it, but who can transfer a call to us can set variables, too.
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


def main() -> None:
    """One caller: choose, tell the dialplan, leave a line for the account."""
    try:
        agi = SafeAGI(sys.stdin.buffer, sys.stdout.buffer)
        chosen = choose(agi)
        agi.set_variable("CCB_FALLBACK_TO", chosen)
        agi.appexec("CELGenUserEvent", f"CCB_FALLBACK,{chosen or QUEUE}")
    except AGIHangup:
        pass  # he did not wait: Asterisk's own records say so


def choose(agi: SafeAGI) -> str:
    """The plain queue with the agents of the queue that he waits for; empty if there is none."""
    queue = agi.get_variable("CCB_QUEUE")
    if not NAME.fullmatch(queue):
        return ""
    own = f"{QUEUE}-{queue}"
    return own if agi.get_full_variable(f"${{QUEUE_EXISTS({own})}}") == "1" else ""
