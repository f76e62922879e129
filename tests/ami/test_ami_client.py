"""The link's life and its actions, against a peer that cuts, delays, refuses and falls silent."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from ami_rig import Bench, until
from fake_peer import Asked, Peer, Session, block, event
from panoramisk.actions import Action
from panoramisk.message import Message
from structlog.testing import capture_logs

from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import ActionRefused, ActionTimeout, LinkLost, LoginRefused

# -- logging in ------------------------------------------------------------------------------------------


async def test_login_asks_for_our_event_classes(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    login = peer.session.asked[0]
    assert (login["username"], login["secret"]) == (["ccbridge"], ["s3cret"])
    assert login["events"] == ["call,user,cdr,agent,system"]
    assert client.version == "11.0.0"
    assert ami.seen == ["up"]


@pytest.mark.parametrize("first", [True, False])
async def test_a_refused_login_is_fatal_and_tried_once(peer: Peer, ami: Bench, first: bool) -> None:
    if not first:
        await ami.live()
        peer.session.cut()
    else:
        ami.start()
    peer.refusal = "Authentication failed"
    with pytest.raises(LoginRefused, match="ccbridge: Authentication failed"):
        await ami.ended()
    assert len(peer.sessions) == (1 if first else 2)


async def test_our_own_old_session_is_waited_out(peer: Peer, ami: Bench) -> None:
    peer.refusal = "Login Already In Use"
    client = ami.start()
    await until(lambda: len(peer.sessions) > 2)
    peer.refusal = ""
    await until(lambda: client.state == "live")


async def test_the_secret_goes_to_an_asterisk_only(peer: Peer, ami: Bench) -> None:
    peer.greeting = b"220 mail.example.com ESMTP\r\n"
    ami.start()
    await until(lambda: len(peer.sessions) > 2)
    assert all(session.segments == [] for session in peer.sessions)
    assert ami.seen == []


@pytest.mark.parametrize("greeting", [b"", b"Asterisk Call Manager/11.0.0\r\n"])
async def test_a_peer_that_never_answers_the_login_is_left(peer: Peer, ami: Bench, greeting: bytes) -> None:
    peer.greeting = greeting
    peer.silent_on("login")
    ami.start(action_timeout=0.05)
    await until(lambda: len(peer.sessions) > 2)
    assert ami.seen == []


async def test_attempts_follow_the_back_off_until_the_link_has_proven_itself(peer: Peer, ami: Bench) -> None:
    made: list[list[float]] = []

    def backoff() -> Iterator[float]:
        taken: list[float] = []
        made.append(taken)
        while True:
            taken.append(0.01)
            yield 0.01

    peer.on["login"] = lambda session, asked: session.cut()
    client = ami.start(backoff=backoff, ping_interval=0.02)
    await until(lambda: len(peer.sessions) == 4)
    del peer.on["login"]
    assert len(made) == 1
    await until(lambda: client.figures().round_trip is not None)
    await until(lambda: client._proven)
    peer.session.cut()
    await until(lambda: client.figures().reconnects == 1)
    assert len(made) == 2


async def test_nobody_listening_is_retried() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        waits: list[float] = []

        def backoff() -> Iterator[float]:
            for delay in (0.01, 0.01, 0.01):
                waits.append(delay)
                yield delay
            client.close()
            yield 0.0

        client = AmiClient(
            host="127.0.0.1", port=held.getsockname()[1], username="u", secret="s", backoff=backoff
        )
        async with asyncio.timeout(30):
            await client.run()
    assert len(waits) == 3


# -- actions and their ends ------------------------------------------------------------------------------


async def test_answers_find_their_action_in_any_order(peer: Peer, ami: Bench) -> None:
    held: list[bytes] = []
    peer.on["getvar"] = lambda session, asked: held.append(asked.answer(f"Value: {asked['variable'][0]}"))
    client = await ami.live()
    futures = client.send_many([{"Action": "Getvar", "Variable": name} for name in "ABC"])
    await until(lambda: len(held) == 3)
    peer.session.say(*reversed(held))
    assert [(await future)["Value"] for future in futures] == ["A", "B", "C"]
    assert client.figures().pending == 0


async def test_a_refusal_is_an_exception_with_the_answer(peer: Peer, ami: Bench) -> None:
    peer.on["redirect"] = lambda s, asked: s.say(
        asked.answer("Message: Channel does not exist", response="Error")
    )
    client = await ami.live()
    with pytest.raises(ActionRefused, match="Channel does not exist") as refused:
        await client.action({"Action": "Redirect", "Channel": "PJSIP/1"})
    assert refused.value.message["Response"] == "Error"
    answer = await client.send_action({"Action": "Redirect", "Channel": "PJSIP/1"})
    assert answer.response == "Error"  # panoramisk's way


async def test_time_outs_leave_nothing_behind(peer: Peer, ami: Bench) -> None:
    late: list[bytes] = []
    peer.on["status"] = lambda s, asked: late.append(
        asked.answer("EventList: start")
        + event("Status", f"ActionID: {asked.id}", "Channel: x")
        + event("StatusComplete", f"ActionID: {asked.id}")
    )
    client = await ami.live(action_timeout=0.05)
    link = client.protocol
    assert link is not None
    ends = await asyncio.gather(
        *(client.action({"Action": "Status"}) for _ in range(20)),
        *(client.action_list({"Action": "Status"}, complete="StatusComplete") for _ in range(20)),
        return_exceptions=True,
    )
    assert [type(end) for end in ends] == [ActionTimeout] * 40
    assert (link.pending, link._lists, client.figures().timeouts) == ({}, 0, 40)
    # Late lists are thrown away; what merely carries an ActionID is still an event.
    peer.session.say(*late[20:], event("OriginateResponse", "ActionID: action/gone/1/1"))
    await until(lambda: "OriginateResponse" in ami.seen)
    assert ami.seen == ["up", "OriginateResponse"]
    assert client.figures().orphans == 60
    assert link.pending == {}


async def test_a_time_out_is_over_with_the_answer(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    await client.action({"Action": "Setvar", "ActionID": "mine"}, timeout=0.05)
    peer.silent_on("setvar")
    asking = asyncio.create_task(client.action({"Action": "Setvar", "ActionID": "mine"}, timeout=60))
    await asyncio.sleep(0.1)  # a span: the first one's time is over
    assert client.figures().pending == 1
    peer.session.say(peer.session.asked[-1].answer())
    assert (await asking).success


async def test_a_caller_who_gives_up_leaves_nothing_behind(peer: Peer, ami: Bench) -> None:
    peer.silent_on("status")
    client = await ami.live(action_timeout=60)
    asking = asyncio.create_task(client.action_list({"Action": "Status"}, complete="StatusComplete"))
    await until(lambda: client.figures().pending == 1)
    asking.cancel()
    await until(lambda: client.figures().pending == 0)
    assert client.protocol is not None
    assert client.protocol._lists == 0


async def test_a_lost_link_ends_every_future_and_nothing_is_sent_again(peer: Peer, ami: Bench) -> None:
    peer.silent_on("originate", "status", "setvar")
    client = await ami.live()
    asked = [
        client.send_action({"Action": "Originate", "Channel": "Local/1@x", "Async": "true"}),
        client.send_action({"Action": "Status"}, as_list=True),
        *client.send_many([{"Action": "Setvar", "Variable": "A", "Value": "1"}]),
    ]
    await until(lambda: len(peer.session.asked) == 4)
    peer.session.say(block("Response: Success", f"ActionID: {peer.session.asked[2].id}", "EventList: start"))
    peer.session.cut()
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(end) for end in ends] == [LinkLost] * 3
    assert all(end.sent and "outcome unknown" in str(end) for end in ends)
    await until(lambda: client.state == "live" and client.figures().reconnects == 1)
    peer.session.say(event("FullyBooted", "Status: Fully Booted"))  # panoramisk sends again on this
    await until(lambda: "FullyBooted" in ami.seen)
    assert (await client.action({"Action": "Ping"})).success
    assert peer.session.names() == ["login", "ping"]
    assert [name.split(":")[0] for name in ami.seen] == ["up", "down", "up", "FullyBooted"]


async def test_a_booting_pbx_is_waited_for(peer: Peer, ami: Bench) -> None:
    """It takes log-ins before it has its devices: what needs them comes after FullyBooted, on every link."""
    began: list[float | None] = []

    async def on_up(client: AmiClient) -> None:
        began.append(await client.booted(5.0))
        await ami.on_up(client)

    client = ami.start(on_up=on_up)
    for links in (1, 2):
        await until(lambda links=links: len(peer.sessions) == links and client.state == "settling")
        peer.session.say(event("PeerStatus"))
        await asyncio.sleep(0.05)
        assert "up" not in ami.seen
        peer.session.say(event("FullyBooted", "Uptime: 40", "Status: Fully Booted"))
        await until(lambda: client.state == "live")
        assert ami.seen == ["up", "PeerStatus", "FullyBooted"]
        assert began[-1] == pytest.approx(time.time() - 40, abs=2)
        ami.seen.clear()
        peer.session.cut()
        await until(lambda: ami.seen != [])
        ami.seen.clear()


@pytest.mark.parametrize("said", [(), ("Status: Fully Booted",)])
async def test_a_pbx_that_does_not_tell_of_its_start(peer: Peer, ami: Bench, said: tuple[str, ...]) -> None:
    client = await ami.live()
    if said:
        peer.session.say(event("FullyBooted", *said))
    assert await client.booted(0.2) == (0.0 if said else None)


async def test_what_was_never_sent_says_so(peer: Peer, ami: Bench) -> None:
    client = ami.start()
    with pytest.raises(LinkLost, match="never sent") as lost:
        await client.action({"Action": "Ping"})
    assert not lost.value.sent
    (future,) = client.send_many([{"Action": "Ping"}])
    assert isinstance(future.exception(), LinkLost)
    with pytest.raises(LinkLost):
        await client.ping()


async def test_a_list_ends_by_the_name_of_its_event(peer: Peer, ami: Bench) -> None:
    def answer(session: Session, asked: Asked) -> None:
        item = f"ActionID: {asked.id}"
        session.say(
            asked.answer("EventList: start", "Message: Channel status will follow"),
            event("Status", item, "Channel: a", "Variable: A=1", "Variable: B=2"),
            event("Hangup", "Channel: z"),  # live, between two items
            event("QueueStatusComplete", item, "Channel: b"),  # ends with Complete, but is not ours
            event("StatusComplete", item, "EventList: Complete", "ListItems: 2"),
            event("Newchannel", "Channel: y"),
        )

    peer.on["status"] = answer
    client = await ami.live()
    items = await client.action_list({"Action": "Status"}, complete="StatusComplete")
    assert [item["Channel"] for item in items] == ["a", "b"]
    assert items[0]["Variable"] == ["A=1", "B=2"]
    await until(lambda: "Newchannel" in ami.seen)
    assert ami.seen == ["up", "Hangup", "Newchannel"]


async def test_a_refused_and_an_empty_list(peer: Peer, ami: Bench) -> None:
    peer.on["pjsipshowcontacts"] = lambda s, a: s.say(
        a.answer("Message: No Contacts found", response="Error")
    )
    peer.on["bridgelist"] = lambda s, a: s.say(
        a.answer("EventList: start"), event("BridgeListComplete", f"ActionID: {a.id}", "ListItems: 0")
    )
    client = await ami.live()
    with pytest.raises(ActionRefused, match="No Contacts found"):
        await client.action_list({"Action": "PJSIPShowContacts"}, complete="ContactListComplete")
    assert await client.action_list({"Action": "BridgeList"}, complete="BridgeListComplete") == []
    messages = await client.send_action({"Action": "BridgeList"}, as_list=True)
    assert [message.event for message in messages] == ["", "BridgeListComplete"]
    messages = await client.send_action({"Action": "PJSIPShowContacts"}, as_list=True)
    assert messages[0].response == "Error"


@pytest.mark.parametrize(
    "message", ["Added interface to queue", "Originate successfully queued", "will follow"]
)
async def test_english_text_decides_nothing(peer: Peer, ami: Bench, message: str) -> None:
    peer.on["queueadd"] = lambda s, asked: s.say(asked.answer(f"Message: {message}"))
    client = await ami.live()
    assert (await client.action({"Action": "QueueAdd"}))["Message"] == message


async def test_an_event_with_our_action_id_is_no_answer(peer: Peer, ami: Bench) -> None:
    peer.on["userevent"] = lambda s, asked: s.say(
        event("UserEvent", f"ActionID: {asked.id}", "UserEvent: CcbHold"), asked.answer("Message: Event Sent")
    )
    client = await ami.live()
    assert (await client.action({"Action": "UserEvent", "UserEvent": "CcbHold"})).message == "Event Sent"
    assert ami.seen == ["up", "UserEvent"]


async def test_an_originate_without_async_is_not_taken_for_a_dead_link(peer: Peer, ami: Bench) -> None:
    held: list[Asked] = []

    def ring(session: Session, asked: Asked) -> None:
        held.append(asked)
        session.deaf = True

    peer.on["originate"] = ring
    client = await ami.live(ping_interval=0.02, ping_timeout=0.02, action_timeout=0.2)
    fields = {"Action": "Originate", "Channel": "PJSIP/1", "Timeout": "20000"}
    asking = asyncio.create_task(client.action(fields))
    await until(lambda: held)
    await asyncio.sleep(0.3)  # a span, not a race: far longer than pings and ordinary actions are given
    assert not asking.done()
    peer.session.deaf = False
    peer.session.say(held[0].answer("Message: Originate failed", response="Error"))
    with pytest.raises(ActionRefused, match="Originate failed"):
        await asking
    assert len(peer.sessions) == 1


async def test_many_actions_go_out_in_one_write_and_in_order(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    link = client.protocol
    assert link is not None
    written: list[bytes] = []
    plain_write = link.transport.write
    link.transport.write = lambda data: (written.append(data), plain_write(data))[1]  # type: ignore[method-assign]
    ends = client.send_many(
        [
            {"Action": "Setvar", "Channel": "c", "Variable": "A", "Value": "1"},
            {"Action": "Setvar", "Channel": "c", "Variable": "B", "Value": "Ω"},
            {"Action": "Redirect", "Channel": "c", "Exten": "o1"},
        ]
    )
    await asyncio.gather(*ends)
    assert len(written) == 1
    assert peer.session.names()[1:] == ["setvar", "setvar", "redirect"]


async def test_a_bad_action_among_many_sends_none(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        client.send_many(
            [{"Action": "Setvar", "Value": "1"}, {"Action": "Setvar", "Value": "1\r\nAction: X"}]
        )
    with pytest.raises(ValueError, match="twice"):
        client.send_many([{"Action": "Setvar", "Variable": "A", "variable": "B"}])
    with pytest.raises(ValueError, match="still in use"):
        client.send_many([{"Action": "Ping", "ActionID": "x"}, {"Action": "Ping", "ActionID": "x"}])
    assert client.figures().pending == 0
    await client.ping()
    assert peer.session.names() == ["login", "ping"]


async def test_unanswered_actions_are_bounded(peer: Peer, ami: Bench) -> None:
    peer.silent_on("setvar")
    client = await ami.live()
    client.send_many([{"Action": "Setvar"}] * 1999)
    with pytest.raises(LinkLost, match="1999 actions unanswered"):
        await asyncio.gather(*client.send_many([{"Action": "Setvar"}] * 2))
    assert client.figures().pending == 1999


async def test_panoramisk_actions_and_commands_work(peer: Peer, ami: Bench) -> None:
    peer.on["command"] = lambda s, asked: s.say(
        asked.answer("Message: Command output follows", "Output: one: 1", "Output: ", "Output: two")
    )
    client = await ami.live()
    assert (await client.send_command("core show uptime"))["Output"] == ["one: 1", "", "two"]
    assert (await client.send_action(Action({"Action": "Setvar"}), Variable=["A=1"])).success
    assert peer.session.asked[-1]["variable"] == ["A=1"]


# -- staying alive ---------------------------------------------------------------------------------------


async def test_a_half_open_link_is_found_and_replaced(peer: Peer, ami: Bench) -> None:
    client = await ami.live(ping_interval=0.05, ping_timeout=0.05)
    peer.session.deaf = True
    await until(lambda: client.figures().reconnects == 1)
    assert ami.seen[:2] == ["up", "down: ping not answered"]


async def test_a_half_open_link_is_found_while_settling(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        peer.session.deaf = len(peer.sessions) == 1
        await client.action({"Action": "Status"})

    client = ami.start(on_up=on_up, ping_interval=0.05, ping_timeout=0.05)
    await until(lambda: client.state == "live")
    assert ami.seen == ["down: ping not answered"]


async def test_a_late_ping_answer_is_forgiven_while_the_peer_still_talks(peer: Peer, ami: Bench) -> None:
    held: list[Asked] = []
    peer.on["ping"] = lambda session, asked: held.append(asked)
    client = await ami.live(ping_interval=0.02, ping_timeout=0.3)
    await until(lambda: held)
    peer.session.say(event("Newchannel"))
    await asyncio.sleep(0.4)  # a span: between the first term's end and the second's
    peer.session.say(held[0].answer("Ping: Pong"))
    await until(lambda: len(held) == 2)
    assert len(peer.sessions) == 1
    peer.session.say(event("Hangup"))  # talks on, but answers nothing: given up after the second term
    await until(lambda: client.figures().reconnects == 1)
    assert ami.seen[1:4] == ["Newchannel", "Hangup", "down: ping not answered"]


async def test_ping_tells_round_trip_and_clock_offset(peer: Peer, ami: Bench) -> None:
    peer.clock_ahead = 100.0
    client = await ami.live()
    taken = await client.ping()
    figures = client.figures()
    assert figures.round_trip == taken > 0
    assert figures.clock_offset == pytest.approx(100.0, abs=2.0)
    assert figures.silence is not None
    peer.on["ping"] = lambda session, asked: session.say(asked.answer("Timestamp: never"))
    await client.ping()
    assert client.figures().clock_offset is None


# -- events ----------------------------------------------------------------------------------------------


async def test_a_burst_keeps_its_order_across_login_snapshot_and_live(peer: Peer, ami: Bench) -> None:
    numbers: list[int] = []
    sent = iter(range(100_000))

    def burst() -> bytes:
        return b"".join(event("Newstate", f"N: {next(sent)}") for _ in range(500))

    def login(session: Session, asked: Asked) -> None:
        session.say(asked.answer(), burst())  # in the same segment as the answer

    async def on_up(client: AmiClient) -> None:
        for _ in range(5):
            peer.session.say(burst())
            await client.action({"Action": "Status"})
        assert numbers == []
        ami.seen.append("up")

    peer.on["login"] = login
    client = await ami.live(on_up=on_up, on_event=lambda e: numbers.append(int(e["N"])))
    assert numbers[:3000] == list(range(3000))
    for _ in range(5):
        peer.session.say(burst())
    await until(lambda: len(numbers) == 5500)
    assert numbers == list(range(5500))
    assert client.figures().events == 5500


async def test_a_cut_during_the_snapshot_discards_and_starts_over(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        ami.seen.append("up")
        if len(peer.sessions) == 1:
            peer.session.say(event("Hangup"))
            await client.action({"Action": "Setvar"})
            peer.session.cut()
            await client.action({"Action": "Status"})
        peer.session.say(event("Newchannel"))
        await client.action({"Action": "Setvar"})

    await ami.live(on_up=on_up)
    assert [seen.split(":")[0] for seen in ami.seen] == ["up", "down", "up", "Newchannel"]


async def test_a_snapshot_that_hangs_or_is_refused_is_tried_again(peer: Peer, ami: Bench) -> None:
    peer.on["status"] = lambda s, asked: s.say(asked.answer("Message: Permission denied", response="Error"))

    async def on_up(client: AmiClient) -> None:
        if len(peer.sessions) == 1:
            await asyncio.Event().wait()
        if len(peer.sessions) == 2:
            await client.action({"Action": "Status"})

    await ami.live(on_up=on_up, settle_timeout=0.1)
    assert ami.seen == ["down: not settled: too slow", "down: not settled: Permission denied"]


async def test_a_mistake_in_on_up_ends_run(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        raise FileNotFoundError("a mistake")  # an OSError, but no matter of the link

    ami.start(on_up=on_up)
    with pytest.raises(FileNotFoundError, match="a mistake"):
        await ami.ended()
    assert ami.seen == ["down: on_up failed"]
    assert len(peer.sessions) == 1


async def test_an_overflow_while_settling_drops_noise_first(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        for name in ("VarSet", "Hangup", "VarSet", "UserEvent", "Cdr"):
            peer.session.say(event(name))
        await client.action({"Action": "Status"})

    client = await ami.live(on_up=on_up, buffer_limit=3)
    assert ami.seen == ["Hangup", "UserEvent", "Cdr"]
    assert client.figures().dropped == {"VarSet": 2}


async def test_an_overflow_of_what_must_not_be_dropped_starts_over(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        if len(peer.sessions) == 1:
            peer.session.say(event("Hangup") * 4)
            await client.action({"Action": "Status"})

    await ami.live(on_up=on_up, buffer_limit=3)
    assert ami.seen == ["down: 3 events waiting, none of which may be dropped"]


async def test_a_raising_callback_costs_a_log_line_not_the_link(peer: Peer, ami: Bench) -> None:
    def on_event(heard: Message) -> None:
        ami.seen.append(heard.event)
        raise KeyError("on_event")

    client = ami.start(on_event=on_event)
    client.register_event("Hang*", lambda manager, heard: 1 / 0)
    await until(lambda: client.state == "live")
    with capture_logs() as logs:
        peer.session.say(event("Hangup"), event("Cdr"))
        await until(lambda: "Cdr" in ami.seen)
    assert [line["event"] for line in logs] == ["ami.callback_failed"] * 3
    assert client.figures().callback_errors == 3
    assert (await client.action({"Action": "Ping"})).success
    assert len(peer.sessions) == 1


async def test_patterns_get_their_events_in_order(peer: Peer, ami: Bench) -> None:
    got: list[Any] = []
    client = ami.start()
    client.register_event("Dial*", lambda manager, heard: got.append((manager is client, heard.event)))
    await until(lambda: client.state == "live")
    peer.session.say(event("DialEnd", "Exten: 4"))
    await until(lambda: len(got) == 1)

    @client.register_event("*End")
    def on_end(manager: AmiClient, heard: Message) -> None:
        got.append(heard.exten)

    peer.session.say(event("DialBegin"), event("Hangup"), event("DialEnd", "Exten: 5"), event("DialBegin"))
    await until(lambda: len(got) == 5)
    assert got[1:] == [(True, "DialBegin"), (True, "DialEnd"), "5", (True, "DialBegin")]

    async def coroutine(manager: AmiClient, heard: Message) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        client.register_event("*", coroutine)


async def test_invented_event_names_do_not_fill_the_cache(peer: Peer, ami: Bench) -> None:
    client = ami.start(on_event=None)
    got: list[str] = []
    client.register_event("E*", lambda manager, heard: got.append(heard.event))
    await until(lambda: client.state == "live")
    peer.session.say(*(event(f"E{number}") for number in range(3000)))
    await until(lambda: len(got) == 3000)
    assert len(client._matches) == 1024


async def test_panoramisk_hooks(peer: Peer, ami: Bench) -> None:
    called: list[str] = []
    client = await ami.live(
        on_connect=lambda manager: called.append("connect"),
        on_login=lambda manager: called.append("login"),
        on_disconnect=lambda manager, exc: called.append(f"disconnect {exc.reason}"),
    )
    client.close()
    assert called == ["connect", "login", "disconnect closed by us"]


async def test_noise_on_the_link_does_no_harm(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    peer.session.say(b"\r\n\r\n\r\nno header\r\n\r\n: \r\n\r\n", b"\xff\xfe: \x00\r\n\r\n", event("Hangup"))
    await until(lambda: "Hangup" in ami.seen)
    assert (await client.action({"Action": "Ping"})).success
    assert len(peer.sessions) == 1


# -- closing ---------------------------------------------------------------------------------------------


async def test_close_ends_every_future_at_once_and_run_soon(peer: Peer, ami: Bench) -> None:
    peer.silent_on("status")
    client = await ami.live()
    futures = client.send_many([{"Action": "Status"}] * 3)
    client.close()
    assert all(isinstance(future.exception(), LinkLost) for future in futures)
    assert not client.up
    client.close()
    await ami.ended()
    await until(lambda: "logoff" in peer.session.names())
    assert ami.seen == ["up", "down: closed by us"]
    assert client.figures().pending == 0
    with pytest.raises(LinkLost):
        await client.action({"Action": "Ping"})


async def test_close_while_settling(peer: Peer, ami: Bench) -> None:
    async def on_up(client: AmiClient) -> None:
        ami.seen.append("up")
        await asyncio.Event().wait()

    client = ami.start(on_up=on_up)
    await until(lambda: ami.seen)
    client.close()
    await ami.ended()
    assert ami.seen == ["up", "down: closed by us"]


@pytest.mark.parametrize("stage", ["greeting", "login", "back-off"])
async def test_close_before_the_link_is_up(peer: Peer, ami: Bench, stage: str) -> None:
    options: dict[str, Any] = {"action_timeout": 60.0}
    if stage == "greeting":
        peer.greeting = b""
    elif stage == "login":
        peer.silent_on("login")
    else:
        peer.refusal = "Login Already In Use"
        options["backoff"] = lambda: repeat(60.0)
    client = ami.start(**options)
    await until(lambda: peer.sessions and (stage == "greeting" or peer.session.asked))
    if stage == "back-off":
        await until(lambda: client.state == "down")
    client.close()
    await ami.ended()
    assert ami.seen == []


async def test_close_while_connecting(ami: Bench) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:  # nobody accepts, so the kernel ignores whoever comes after the first
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            client = ami.start(port=full.getsockname()[1], action_timeout=60.0)
            await until(lambda: client._connect_limit is not None)
            client.close()
            client.close()
            await ami.ended()
        finally:
            for one in waiting:
                one.close()


async def test_close_does_not_wait_for_a_peer_that_does_not_read(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    link = client.protocol
    assert link is not None
    peer.session.writer.transport.pause_reading()  # type: ignore[attr-defined]
    fields = {"Action": "UserEvent", "A": ["x" * 1000] * 120}
    while not link.transport.get_write_buffer_size():
        client.send_many([fields])
    client.close()
    assert link.transport.get_write_buffer_size() == 0
    await ami.ended()


async def test_a_cancelled_run_leaves_no_task_and_no_socket(peer: Peer, ami: Bench) -> None:
    before = asyncio.all_tasks()
    client = await ami.live()
    task = ami.runs[0][1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.state == "down"
    await until(lambda: peer.session.reader.at_eof())
    await until(lambda: len(asyncio.all_tasks() - before) <= 1)  # the peer's own
    with pytest.raises(LinkLost):
        await client.action({"Action": "Ping"})


async def test_run_runs_once(peer: Peer, ami: Bench) -> None:
    client = await ami.live()
    with pytest.raises(RuntimeError, match="runs already"):
        await client.run()
    assert client.state == "live"
