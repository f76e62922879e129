"""AMI events as Asterisk sends them and what each means to the core; effects and the actions they become."""

from __future__ import annotations

from typing import Any

import pytest

from ccbridge.ami import snapshot, translate
from ccbridge.ami.wire import AmiMessage, encode
from ccbridge.core import inputs as i
from ccbridge.core.effects import Announce, DropLeg, MoveOut, PlaceOffer, TellQueue


def event(text: str) -> AmiMessage:
    return AmiMessage(text.strip().replace("\n", "\r\n"))


# Each as 22.10 sends it, less what does not matter here.
EVENTS: list[tuple[str, Any]] = [
    (
        """Event: UserEvent
Timestamp: 1795313602.184
Channel: PJSIP/carrier-00000000
CallerIDNum: +306912345678
Context: ccbridge-hold
Exten: s
Priority: 1
Uniqueid: pbx-1.0
UserEvent: CcbHold
Call: pbx-1.0
Queue: sales
Priority: 5
Since: 1795313602.123
Did: 2101234567
Came: 1795313599.250""",
        i.CallHolding(
            1795313602.184,
            "pbx-1.0",
            "sales",
            5,
            1795313602.123,
            "+306912345678",
            did="2101234567",
            came=1795313599.25,
        ),
    ),
    (
        "Event: UserEvent\nTimestamp: 2.5\nCallerIDNum: <unknown>\nUniqueid: pbx-1.0\n"
        "UserEvent: CcbHold\nCall: \nQueue: \nPriority: \nSince: ",
        i.CallHolding(2.5, "pbx-1.0", "", 0, 0.0, ""),
    ),
    (
        "Event: UserEvent\nTimestamp: 2.5\nUniqueid: pbx-1.0\nUserEvent: CcbOffering\nOffer: oab1",
        i.OfferReached(2.5, "pbx-1.0", "oab1"),
    ),
    (
        "Event: UserEvent\nTimestamp: 2.5\nUniqueid: c\nUserEvent: CcbOffer\nOffer: o1\n"
        "DialStatus: NOANSWER\nCause: 19",
        i.OfferEnded(2.5, "c", "o1", "NOANSWER", 19),
    ),
    (
        "Event: UserEvent\nTimestamp: 2.5\nUniqueid: c\nUserEvent: CcbOffer\nOffer: o1\n"
        "DialStatus: \nCause: ",
        i.OfferEnded(2.5, "c", "o1", "", 0),
    ),
    (
        "Event: UserEvent\nTimestamp: 2.5\nUniqueid: c\nUserEvent: CcbExit\nTarget: 100",
        i.CallExited(2.5, "c", "100"),
    ),
    ("Event: UserEvent\nTimestamp: 2.5\nUniqueid: c\nUserEvent: CcbFallback", i.CallInFallback(2.5, "c")),
    (
        "Event: UserEvent\nTimestamp: 2.5\nCallerIDNum: 0301\nUniqueid: c\nUserEvent: CcbFallback\n"
        "Did: 100\nCame: 1.5",
        i.CallInFallback(2.5, "c", "0301", did="100", came=1.5),
    ),
    ("Event: UserEvent\nTimestamp: 2.5\nUniqueid: c\nUserEvent: Other", None),
    ("Event: SoftHangupRequest\nTimestamp: 2.5\nUniqueid: c\nCause: 4", i.ChannelCut(2.5, "c")),
    ("Event: SoftHangupRequest\nTimestamp: 2.5\nUniqueid: c\nCause: 16", None),
    (
        "Event: DialBegin\nTimestamp: 2.5\nUniqueid: c\nContext: ccbridge-offer\nExten: o1\nDestUniqueid: l",
        i.LegDialled(2.5, "c", "o1", "l"),
    ),
    ("Event: DialBegin\nTimestamp: 2.5\nUniqueid: c\nContext: internal\nExten: 100\nDestUniqueid: l", None),
    (
        "Event: DialState\nTimestamp: 2.5\nContext: ccbridge-offer\nDestUniqueid: l\nDialStatus: RINGING",
        i.LegRinging(2.5, "l"),
    ),
    (
        "Event: DialState\nTimestamp: 2.5\nContext: ccbridge-offer\nDestUniqueid: l\nDialStatus: PROGRESS",
        i.LegRinging(2.5, "l"),
    ),
    (
        "Event: BridgeEnter\nTimestamp: 2.5\nBridgeUniqueid: b\nUniqueid: c",
        i.BridgeEntered(2.5, "c", "b"),
    ),
    (  # parked: out of whichever bridge he was in, and with nobody
        "Event: BridgeEnter\nTimestamp: 2.5\nBridgeTechnology: holding_bridge\nBridgeUniqueid: b\n"
        "Uniqueid: c",
        i.BridgeLeft(2.5, "c", ""),
    ),
    ("Event: BridgeLeave\nTimestamp: 2.5\nBridgeUniqueid: b\nUniqueid: c", i.BridgeLeft(2.5, "c", "b")),
    ("Event: HangupRequest\nTimestamp: 2.5\nUniqueid: c", i.HangupAsked(2.5, "c")),
    ("Event: Hangup\nTimestamp: 2.5\nUniqueid: c\nCause: 16", i.ChannelGone(2.5, "c", 16)),
    ("Event: Hold\nTimestamp: 2.5\nUniqueid: l", i.LegHeld(2.5, "l")),
    ("Event: Unhold\nTimestamp: 2.5\nUniqueid: l", i.LegResumed(2.5, "l")),
    (
        "Event: BlindTransfer\nTimestamp: 2.5\nResult: Success\nTransfererUniqueid: l\nExtension: 200",
        i.ChannelTransferred(2.5, "l", "blind", "200"),
    ),
    ("Event: BlindTransfer\nTimestamp: 2.5\nResult: Fail\nTransfererUniqueid: l\nExtension: 200", None),
    (
        "Event: AttendedTransfer\nTimestamp: 2.5\nResult: Success\nOrigTransfererUniqueid: l",
        i.ChannelTransferred(2.5, "l", "attended", ""),
    ),
    (
        "Event: DeviceStateChange\nTimestamp: 2.5\nDevice: PJSIP/1001\nState: INUSE",
        i.DeviceChanged(2.5, "PJSIP/1001", "INUSE"),
    ),
    (
        "Event: ContactStatus\nTimestamp: 2.5\nContactStatus: Reachable\nEndpointName: 1001",
        i.ContactSeen(2.5, "PJSIP/1001"),
    ),
    ("Event: ContactStatus\nTimestamp: 2.5\nContactStatus: Removed\nEndpointName: 1001", None),
    ("Event: RTCPSent\nTimestamp: 2.5", None),
]


@pytest.mark.parametrize(("text", "meaning"), EVENTS)
def test_events(text: str, meaning: i.Input | None) -> None:
    assert translate.to_input(event(text), 0.0) == meaning


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999", "x", ""])
def test_a_number_that_is_none_is_not_taken_for_one(number: str) -> None:
    numbers = f"Priority: {number}\nSince: {number}"
    held = f"Event: UserEvent\nTimestamp: 2.5\nUniqueid: 1.1\nUserEvent: CcbHold\n{numbers}"
    assert translate.to_input(event(held), 7.5) == i.CallHolding(2.5, "1.1", "", 0, 0.0, "")
    gone = event(f"Event: Hangup\nTimestamp: {number}\nUniqueid: 1.1\nCause: {number}")
    assert translate.to_input(gone, 7.5) == i.ChannelGone(7.5, "1.1", 0)


@pytest.mark.parametrize("stamp", ["", "soon", "0", "-5", "nan", "inf", "1e30"])
def test_a_stamp_that_is_none_is_our_clock(stamp: str) -> None:
    said = event(f"Event: Hangup\nTimestamp: {stamp}\nUniqueid: a\nCause: 16")
    assert translate.to_input(said, 7.5) == i.ChannelGone(7.5, "a", 16)


def test_an_event_of_another_channel_cannot_speak_for_a_call() -> None:
    said = event("Event: UserEvent\nTimestamp: 1\nUniqueid: mine\nUserEvent: CcbExit\nCall: yours\nTarget: 1")
    assert translate.to_input(said, 0.0) == i.CallExited(1.0, "mine", "1")


def test_a_cdr_keeps_what_asterisk_wrote() -> None:
    row = translate.cdr(
        event(
            "Event: Cdr\nPrivilege: cdr,all\nTimestamp: 3.5\nSystemName: pbx\nSource: 123\nAccountCode: \n"
            "Disposition: ANSWERED\nUniqueid: pbx-1.0\nLinkedid: pbx-1.0\nSequence: 4"
        ),
        "other",
        0.0,
    )
    assert (row.system, row.uniqueid, row.linkedid, row.sequence, row.at) == (
        "pbx",
        "pbx-1.0",
        "pbx-1.0",
        4,
        3.5,
    )
    assert dict(row.fields) == {"Source": "123", "Disposition": "ANSWERED"}


def test_a_cdr_is_of_the_moment_that_asterisks_file_has() -> None:
    said = "Event: Cdr\nTimestamp: 3.5\nUniqueid: pbx-1.0\nSequence: 4\nSource: 1\nEndStamp: 3.25"
    row = translate.cdr(event(said), "pbx", 9.0)
    assert (row.at, dict(row.fields)) == (3.25, {"Source": "1"})


def test_an_offer_is_variables_and_then_the_redirect() -> None:
    offer = PlaceOffer("pbx-1.0", "oab1", ("PJSIP/1001",), 15, "Ελένη - sales 0:07", "2026/11/22/x")
    actions = translate.to_actions(offer)
    assert [one["Action"] for one in actions] == ["Setvar"] * 5 + ["Redirect"]
    assert {one["Variable"]: one["Value"] for one in actions[:-1]} == {
        "CCB_DEVICE_oab1": "PJSIP/1001",
        "CCB_RING_oab1": "15",
        "CCB_REC_oab1": "2026/11/22/x",
        "CCB_REC": "2026/11/22/x",
        "CALLERID(name)": "Ελένη - sales 0:07",
    }
    assert (actions[-1]["Context"], actions[-1]["Exten"]) == ("ccbridge-offer", "oab1")
    assert {one["Channel"] for one in actions} == {"pbx-1.0"}


@pytest.mark.parametrize("name", ["a\r\nAction: Hangup", "x" * 5000, "\x00", "${SHELL(id)}", '"', "😀" * 300])
def test_any_text_on_the_display_can_be_sent(name: str) -> None:
    for action in translate.to_actions(PlaceOffer("c", "o1", ("PJSIP/1", "PJSIP/2"), 5, name, None)):
        assert encode(action).count(b"\r\n") == len(action) + 1


def test_another_queue_is_written_on_the_channel() -> None:
    actions = translate.to_actions(TellQueue("c", "help", -3, 1700000000.1234))
    assert {one["Action"] for one in actions} == {"Setvar"}
    assert {one["Channel"] for one in actions} == {"c"}
    told = {one["Variable"]: one["Value"] for one in actions}
    assert told == {"CCB_QUEUE": "help", "CCB_PRIORITY": "-3", "CCB_SINCE": "1700000000.123"}


def test_other_effects() -> None:
    assert translate.to_actions(Announce("c", 3, 12)) == [
        {"Action": "Setvar", "Channel": "c", "Variable": "CCB_SAY", "Value": "3-12"}
    ]
    assert translate.to_actions(DropLeg("l")) == [{"Action": "Hangup", "Channel": "l", "Cause": "16"}]
    (moved,) = translate.to_actions(MoveOut("c", "100"))
    assert (moved["Context"], moved["Exten"]) == ("ccbridge-exit", "100")


def test_a_channel_of_a_snapshot() -> None:
    place = snapshot.place(
        event(
            "Event: Status\nChannel: PJSIP/carrier-00000001\nChannelStateDesc: Up\nCallerIDNum: 691\n"
            "Context: ccbridge-hold\nExten: s\nUniqueid: pbx-1.0\nLinkedid: pbx-1.0\nBridgeID: \n"
            "Seconds: 12\n"
            "Variable: CCB_CALL=pbx-1.0\nVariable: CCB_QUEUE=(null)\nVariable: CCB_DID=a=b"
        )
    )
    assert place == i.Place(
        "pbx-1.0", "PJSIP/carrier-00000001", "pbx-1.0", "ccbridge-hold", "s", "", 12.0, True, "691",
        variables={"CCB_CALL": "pbx-1.0", "CCB_DID": "a=b"},
    )  # fmt: skip
    assert place.device == "PJSIP/carrier"
