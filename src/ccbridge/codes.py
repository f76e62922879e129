"""The feature codes of phones: one table, by which they are understood and the cards are printed.

A site may give each code other digits or switch it off (section ``codes`` of its configuration). What follows
the code are digits of its argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One row. ``least`` to ``most`` digits may follow it. ``proof``: its end-to-end test, file and name."""

    name: str
    dial: str
    least: int
    most: int
    follows: str  # what the digits are, as the card shows it
    does: str
    hears: str
    proof: str
    supervisors: bool = False  # it is theirs, and stands on their card


@dataclass(frozen=True, slots=True)
class Dialled:
    """A code that was understood."""

    name: str
    digits: str


TABLE = (
    Code(
        "log_in", "*01", 0, 10, "[number]",
        "logs you in at this phone: your calls come here until you log out, or log in elsewhere",
        "asks for your number, if you did not dial it, and your PIN, each ended by `#`; \"agent logged in\"",
        "tests/e2e/test_phone_codes.py::test_log_in_at_any_phone",
    ),
    Code(
        "log_out", "*02", 0, 0, "",
        "logs you out",
        "\"agent logged off\"",
        "tests/e2e/test_phone_codes.py::test_log_out",
    ),
    Code(
        "pause", "*03", 0, 2, "[reason]",
        "pauses you: no calls; without a reason's number it is the first one's",
        "\"do not disturb activated\"",
        "tests/e2e/test_phone_codes.py::test_pause_and_unpause",
    ),
    Code(
        "unpause", "*04", 0, 0, "",
        "ends your pause",
        "\"do not disturb de-activated\"",
        "tests/e2e/test_phone_codes.py::test_pause_and_unpause",
    ),
    Code(
        "finish", "*05", 0, 0, "",
        "ends your wrap-up now",
        "\"thank you\"",
        "tests/e2e/test_phone_codes.py::test_wrap_up_lasts_longer_and_is_finished",
    ),
    Code(
        "extend", "*06", 0, 0, "",
        "makes your wrap-up longer; dial it again for more",
        "the seconds that are left",
        "tests/e2e/test_phone_codes.py::test_wrap_up_lasts_longer_and_is_finished",
    ),
    Code(
        "outcome", "*7", 1, 1, "digit",
        "says how your last call ended, while you talk or are in wrap-up",
        "\"thank you\"",
        "tests/e2e/test_phone_codes.py::test_outcome",
    ),
    Code(
        "tag", "*071", 1, 2, "number",
        "says what your call was about, while you talk or are in wrap-up; one call may have several tags",
        "\"thank you\"",
        "tests/e2e/test_matter_codes.py::test_tags",
    ),
    Code(
        "note", "*072", 0, 0, "",
        "keeps what you say after the beep, up to `#` or until you hang up, with your call; while you talk, "
        "or a while after",
        "a beep, and then \"thank you\"; \"I'm sorry\" if nothing was to be heard",
        "tests/e2e/test_matter_codes.py::test_notes",
    ),
    Code(
        "follow_up", "*073", 0, 3, "[hours]",
        "you will come back to the matter of your call: in so many hours, or after the usual time",
        "\"thank you\"",
        "tests/e2e/test_follow_ups.py::test_follow_ups_are_read_out",
    ),
    Code(
        "follow_ups", "*074", 0, 0, "",
        "reads out the matters that you are to come back to now; at each: `1` calls the customer, "
        "`2` it is done, `3` the next one",
        "how many; of each the customer's number, and when it was due",
        "tests/e2e/test_follow_ups.py::test_follow_ups_are_read_out",
    ),
    Code(
        "state", "*08", 0, 0, "",
        "tells your state",
        "\"agent logged in\" or \"agent logged off\"; \"do not disturb activated\" and the reason's number; "
        "the seconds of wrap-up or rest that are left",
        "tests/e2e/test_phone_codes.py::test_my_state",
    ),
    Code(
        "personal", "*097", 0, 1, "[digit]",
        "your calls ring your mobile or home number: the first one, or the one of that digit; with `0` your "
        "phone again. Who picks up presses `1` to take the call",
        "\"call forward unconditional\", \"activated\" or \"de-activated\"",
        "tests/e2e/test_personal_device.py::test_the_code_switches_it_on_and_off",
    ),
    Code(
        "figures", "*099", 0, 0, "",
        "tells your figures since midnight",
        "\"received\" and your calls taken; the minutes that you talked; \"the number is not answering\" and "
        "the calls that you missed; \"please try your call again later\": not to be had now",
        "tests/e2e/test_own_figures.py::test_my_figures_today",
    ),
    Code(
        "colleague", "*095", 1, 10, "number",
        "calls a colleague by his number, wherever he is logged in",
        "him; \"agent logged off\": he is not here; \"the number is not answering\"",
        "tests/e2e/test_internal_calls.py::test_call_a_colleague",
    ),
    Code(
        "supervisor", "*096", 0, 0, "",
        "calls the supervisor on duty of your department; the next one, if he does not answer",
        "the supervisor; \"the number is not answering\": none is there",
        "tests/e2e/test_internal_calls.py::test_call_the_supervisor",
    ),
    Code(
        "escalate", "*098", 0, 0, "",
        "brings the supervisor on duty into your talk: he is told whose call it is, and then all three talk",
        "\"thank you\": he is rung",
        "tests/e2e/test_escalate.py::test_by_code_from_a_second_line",
    ),
    Code(
        "record_pause", "*001", 0, 0, "",
        "pauses the recording of your call, so that what is said now is not kept (a card's number); "
        "it goes on by itself",
        "\"paused\"",
        "tests/e2e/test_recording_codes.py::test_a_paused_recording_is_silent_between_its_marks",
    ),
    Code(
        "record_resume", "*002", 0, 0, "",
        "lets the recording go on now",
        "\"record mode\"",
        "tests/e2e/test_recording_codes.py::test_a_paused_recording_is_silent_between_its_marks",
    ),
    Code(
        "record", "*003", 0, 0, "",
        "records your call from now on, where calls are recorded on demand",
        "\"record mode\"",
        "tests/e2e/test_recording_codes.py::test_record_on_demand",
    ),
    Code(
        "listen", "*091", 1, 10, "number",
        "lets you hear the agent's calls, one after another; neither side hears you",
        "the call, or music until there is one",
        "tests/e2e/test_supervisor_codes.py::test_listen_whisper_and_barge",
        supervisors=True,
    ),
    Code(
        "whisper", "*092", 1, 10, "number",
        "the same, and the agent hears you; the caller does not",
        "the call, or music until there is one",
        "tests/e2e/test_supervisor_codes.py::test_listen_whisper_and_barge",
        supervisors=True,
    ),
    Code(
        "barge", "*093", 1, 10, "number",
        "the same, and both hear you",
        "the call, or music until there is one",
        "tests/e2e/test_supervisor_codes.py::test_listen_whisper_and_barge",
        supervisors=True,
    ),
    Code(
        "take_over", "*094", 1, 10, "number",
        "gives you the agent's caller at once; the agent is in wrap-up",
        "the caller",
        "tests/e2e/test_take_over.py::test_take_over_by_code",
        supervisors=True,
    ),
    Code(
        "close_hours", "*078", 1, 4, "digits",
        "closes the opening hours of these digits, whatever they say: for the time that the site has set, or "
        "until they are opened",
        "asks for your PIN, ended by `#`; \"number\", the digits, \"do not disturb activated\"",
        "tests/e2e/test_opening.py::test_closed_and_opened_at_a_phone",
        supervisors=True,
    ),
    Code(
        "open_hours", "*079", 1, 4, "digits",
        "ends that: they are as the hours say",
        "asks for your PIN, ended by `#`; \"number\", the digits, \"do not disturb de-activated\"",
        "tests/e2e/test_opening.py::test_closed_and_opened_at_a_phone",
        supervisors=True,
    ),
)  # fmt: skip
DEFAULTS = {code.name: code.dial for code in TABLE}


def understood(dialled: str, codes: Mapping[str, str]) -> Dialled | None:
    """What was dialled, by a site's ``codes`` (name -> digits, "" is off); None: no code, or wrong digits."""
    for row in TABLE:
        dial = codes[row.name]
        if dial and dialled.startswith(dial):
            rest = dialled[len(dial) :]
            fits = row.least <= len(rest) <= row.most and all(one in "0123456789" for one in rest)
            return Dialled(row.name, rest) if fits else None
    return None


def clashes(codes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, earlier name) of codes of which one is, or begins with, the other."""
    seen: dict[str, str] = {}
    for name, dial in codes.items():
        if dial:
            for earlier, other in seen.items():
                if dial.startswith(other) or other.startswith(dial):
                    yield name, earlier
            seen[name] = dial


def card(
    codes: Mapping[str, str],
    reasons: Iterable[str],
    outcomes: Mapping[str, str],
    tags: Mapping[str, str],
) -> str:
    """The card for agents' desks, in Markdown."""
    lines = [
        "# The phone's codes", "",
        "Dial them on your desk phone, also from memory keys. A code works at the phone at which you are",
        "logged in; a refusal is said, too.", "",
        "| dial | what it does | what you hear |", "|---|---|---|",
    ]  # fmt: skip
    for row in TABLE:
        if codes[row.name] and not row.supervisors:
            follows = f" {row.follows}" if row.follows else ""
            lines.append(f"| `{codes[row.name]}`{follows} | {row.does} | {row.hears} |")
    if codes["pause"]:
        lines += ["", "| reason | |", "|---|---|"]
        lines += [f"| {number} | {reason} |" for number, reason in enumerate(reasons, 1)]
    if codes["outcome"]:
        lines += ["", "| digit | the customer's matter is |", "|---|---|"]
        lines += [f"| {digit} | {outcome} |" for digit, outcome in outcomes.items()]
    if codes["tag"] and tags:
        lines += ["", "| number | the call was about |", "|---|---|"]
        lines += [f"| {number} | {tag} |" for number, tag in tags.items()]
    lines += [
        "", "| you hear | it means |", "|---|---|",
        "| \"login incorrect\" | number or PIN is wrong, or your number is unknown |",
        "| \"please try your call again later\" | too many wrong PINs: a supervisor can lift the lock |",
        "| \"I'm sorry\", \"agent logged off\" | nobody is logged in at this phone |",
        "| \"I'm sorry\", \"that feature is not available on this line\" | it cannot be done now: no "
        "wrap-up, no pause, or a call is going on |",
        "| \"you have entered an invalid option\" | no such code, reason, tag or digit |",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
