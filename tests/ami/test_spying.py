"""Supervisors who listen, in AMI's words."""

from __future__ import annotations

import pytest

from ccbridge.ami.spying import Arrived, Gone, Joined, Keyed, Parted, Spying, heard, to_actions
from ccbridge.ami.wire import AmiMessage
from ccbridge.supervision.sessions import Brief, Drop, Hear, Join, Notice, Rest, Ring


def message(*lines: str) -> AmiMessage:
    return AmiMessage("\r\n".join(lines))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("Event: UserEvent", "Uniqueid: mx1", "UserEvent: CcbMonitor"), Arrived("mx1")),
        (("Event: UserEvent", "Uniqueid: mx1", "UserEvent: CcbMonitorKey", "Key: 6"), Keyed("mx1", "6")),
        (("Event: UserEvent", "Uniqueid: mx1", "UserEvent: CcbParted"), Parted("mx1")),
        (("Event: BridgeEnter", "Uniqueid: mx1", "BridgeUniqueid: b1"), Joined("mx1")),
        (("Event: UserEvent", "Uniqueid: 1.1", "UserEvent: CcbHold"), None),
        (("Event: ChanSpyStart", "SpyerUniqueid: mx1", "SpyerExten: a3"), Spying("mx1", "a3")),
        (("Event: Hangup", "Uniqueid: mx1", "Cause: 16"), Gone("mx1", "")),
        (
            (
                "Event: OriginateResponse", "Response: Failure", "Context: ccbridge-monitor", "Exten: mx1",
                "Reason: 3", "Uniqueid: <null>",
            ),
            Gone("mx1", "no answer"),
        ),
        (("Event: OriginateResponse", "Response: Success", "Context: ccbridge-monitor", "Exten: mx1"), None),
        (("Event: OriginateResponse", "Response: Failure", "Context: other", "Exten: mx1"), None),
        (("Event: Newchannel", "Uniqueid: mx1"), None),
    ],
)  # fmt: skip
def test_events(lines: tuple[str, ...], told: object) -> None:
    assert heard(message(*lines)) == told


def test_nothing_of_the_phone_is_chosen_by_anybody_but_us() -> None:
    (ring,) = to_actions(Ring("mx1", "PJSIP/2001", "listen: anna"))
    assert ring["Channel"] == "PJSIP/2001"
    assert (ring["ChannelId"], ring["Context"], ring["Exten"]) == ("mx1", "ccbridge-monitor", "mx1")
    assert ring["Async"] == "true"
    assert "Application" not in ring
    assert ring["Timeout"] == "30000"
    (ring,) = to_actions(Ring("mx1", "PJSIP/2001", "help: anna", 7.5))
    assert (ring["Timeout"], ring["Context"]) == ("7500", "ccbridge-monitor")


def test_he_is_told_whose_call_it_is_on_a_page_of_its_own() -> None:
    (sent,) = to_actions(Brief("mx1"))
    assert (sent["Action"], sent["Channel"], sent["Context"], sent["Exten"]) == (
        "Redirect", "mx1", "ccbridge-brief", "s",
    )  # fmt: skip


def test_a_leg_is_set_before_the_supervisor_is_sent_to_it() -> None:
    for mode, how in (("listen", ""), ("whisper", "w"), ("barge", "B")):
        actions = to_actions(Hear("mx1", 2, "pbx-17.5", mode))
        assert [(one.get("Variable"), one.get("Value")) for one in actions[:2]] == [
            ("CCB_SPY_a2", "pbx-17.5"), ("CCB_HOW_a2", how),
        ]  # fmt: skip
        assert (actions[2]["Action"], actions[2]["Channel"], actions[2]["Exten"]) == ("Redirect", "mx1", "a2")
    told = to_actions(Hear("mx1", 2, "pbx-17.5", "barge", beep=True))[2]
    assert (told["Variable"], told["Value"]) == ("CCB_BEEP_a2", "1")
    assert to_actions(Rest("mx1"))[0]["Exten"] == "wait"
    assert to_actions(Drop("mx1"))[0]["Action"] == "Hangup"


@pytest.mark.parametrize("leg", ["", "1,E)", "${SHELL(x)}", "a b", "1.1\r\nX: y"])
def test_what_is_no_uniqueid_is_never_an_argument(leg: str) -> None:
    for effect in (Hear("mx1", 1, leg, "listen"), Notice(leg, True)):
        with pytest.raises(ValueError, match="uniqueid"):
            to_actions(effect)


def test_a_tone_is_whispered_to_the_agent_or_heard_by_both() -> None:
    for caller, how in ((False, "w"), (True, "B")):
        (tone,) = to_actions(Notice("pbx-17.5", caller))
        assert tone["Variable"] == f"CCB_SPY=pbx-17.5,CCB_HOW={how}"
        assert (tone["Channel"], tone["Context"]) == ("Local/tone@ccbridge-notice/n", "ccbridge-notice")
        assert tone["Async"] == "true"
    (tone,) = to_actions(Notice("pbx-17.5", False, sorry=True))
    assert (tone["Channel"], tone["Exten"]) == ("Local/sorry@ccbridge-notice/n", "spy")


def test_whoever_takes_over_is_put_beside_the_agents_channel() -> None:
    told, sent = to_actions(Join("mx1", 3, "PJSIP/1001-0000002a"))
    assert (told["Variable"], told["Value"]) == ("CCB_JOIN_t3", "PJSIP/1001-0000002a")
    assert (sent["Channel"], sent["Context"], sent["Exten"]) == ("mx1", "ccbridge-takeover", "t3")
    assert to_actions(Join("mx1", 3, "Local/1001@phones-0000002a;1"))
    for name in ("", "PJSIP/1001,x", "${SHELL(x)}", "PJSIP/1001)", "PJSIP/1 1-01", "a;3"):
        with pytest.raises(ValueError, match="channel's name"):
            to_actions(Join("mx1", 3, name))
