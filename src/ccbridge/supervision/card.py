"""The card for supervisors' phones."""

from __future__ import annotations

from collections.abc import Mapping

from ccbridge.codes import TABLE


def card(codes: Mapping[str, str]) -> str:
    """In Markdown, with a site's ``codes`` (name -> digits, "" is off)."""
    lines = [
        "# The supervisor's codes", "",
        "Dial them at your own phone, with the agent's number, or the hours' digits; hang up to end it. What",
        "you may do, and with whom, your role and your departments say. Each use of a code is kept, and each",
        "refusal.",
        "", "| dial | what it does | what you hear |", "|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| `{codes[row.name]}` {row.follows} | {row.does} | {row.hears} |"
        for row in TABLE
        if row.supervisors and codes[row.name]
    ]
    lines += [
        "", "An agent who asks for you rings your phone: it shows `help:` and his name. You are told the",
        "caller's number and the ticket's (any key ends that), and then both hear you. If you listen to",
        "that agent already, both hear you at once, after a beep, and in this call only.",
        "", "While you are on the line, also if you were rung for it:", "",
        "| key | | the agent hears you | the caller hears you |", "|---|---|---|---|",
        "| 4 | listen | no | no |", "| 5 | whisper | yes | no |", "| 6 | barge | yes | yes |",
        "| 7 | take over: the caller is yours, and the agent is gone | no | yes |",
        "| 9 | score the call that you hear, or have heard last | no | no |", "",
        "| key, while you score | |", "|---|---|",
        "| 0 to 100 and `#` | the points of the item whose number you hear |",
        "| `#` alone | not judged |", "| `*` | back: the digits, the item before, out |",
        "| `#` after the total | keeps the card |", "",
        "| you hear | it means |", "|---|---|",
        "| music | the agent has no caller at the moment: you hear the next call when it comes |",
        "| \"I'm sorry\", \"that feature is not available on this line\" | you may not, the agent works at "
        "this phone, he has no caller whom you could take over, or there is nothing to score |",
        "| \"login incorrect\" | the PIN is wrong, or you have none |",
        "| \"I'm sorry\", \"please try your call again later\" | ccbridge is not there at the moment |",
        "| \"please try your call again later\" | too many wrong PINs: a manager can lift the lock |",
        "| \"you have entered an invalid option\" | no agent has this number, no hours have these digits, or "
        "there is no such code |",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
