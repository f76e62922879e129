"""The socket: its file, its limits, strangers, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import threading
from pathlib import Path

import pytest
from control_rig import WAIT, Board, Daemon, Peer, mode_of, until, until_now
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ccbridge.control.client import ControlClient, DaemonAway
from ccbridge.control.server import BACKLOG, ControlServer, SocketTaken
from ccbridge.control.wire import LINE_LIMIT, Answer, NotARequest, Refused, parse


async def test_requests_one_after_another_and_all_at_once(server: ControlServer, path: Path) -> None:
    async with Peer(path) as peer:
        assert (await peer.ask(id="a", do="agent.login", agent="anna"))["text"] == "anna is logged in"
        assert (await peer.ask(do="agent.list"))["id"] is None
        lines = [json.dumps({"id": n, "do": "status"}).encode() + b"\n" for n in range(200)]
        peer.writer.write(b"".join(lines))
        assert [(await peer.answer())["id"] for _ in range(200)] == list(range(200))
    assert server.counts["requests"] == 202


async def test_half_closed_peer_gets_its_answers(server: ControlServer, path: Path) -> None:
    """As in `echo ... | nc -U`."""
    async with Peer(path) as peer:
        peer.writer.write(b'{"do": "status"}\n{"id": 2, "do": "agent.login", "agent": "anna"}\n')
        peer.writer.write_eof()
        answers = [json.loads(line) for line in (await peer.ended()).splitlines()]
    assert [answer["ok"] for answer in answers] == [True, True]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"hello", "a request is one line of JSON, in UTF-8"),
        (b"", "a request is one line of JSON, in UTF-8"),
        (b"GET / HTTP/1.1\r", "a request is one line of JSON, in UTF-8"),
        (b"\xff\xfe", "a request is one line of JSON, in UTF-8"),
        (b"[" * 60_000, "a request is one line of JSON, in UTF-8"),
        (b'{"do": NaN}', "a request is one line of JSON, in UTF-8"),
        (b"9" * 5000, "a request is one line of JSON, in UTF-8"),
        (b'["status"]', "a request is a JSON object, not a list"),
        (b"null", "a request is a JSON object, not null"),
    ],
)
async def test_what_is_no_request_ends_the_conversation(
    server: ControlServer, path: Path, line: bytes, text: str
) -> None:
    async with Peer(path) as peer:
        peer.writer.write(line + b"\n")
        answer = await peer.answer()
        assert (answer["id"], answer["ok"], answer["text"]) == (None, False, text)
        assert await peer.ended() == b""
    assert server.counts["garbage"] == 1


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({}, '"do" is missing: it names the command'),
        ({"do": 7}, '"do" must be text, not a number'),
        ({"do": ["x"]}, '"do" must be text, not a list'),
        ({"do": "status", "id": True}, '"id" must be a number or a text of at most 40 characters'),
        ({"do": "status", "id": {}}, '"id" must be a number or a text of at most 40 characters'),
        ({"do": "agent.pause"}, 'agent.pause: field "agent" is missing'),
        ({"do": "agent.pause", "agent": 1001}, 'agent.pause: field "agent" must be text, not a number'),
        ({"do": "agent.login", "agent": None}, 'agent.login: field "agent" is missing'),
        ({"do": "agent.login", "agent": " "}, 'agent.login: field "agent" must be one line of plain text'),
        ({"do": "call.show", "call": "a\nb"}, 'call.show: field "call" must be one line of plain text'),
        ({"do": "call.show", "call": "\ud800"}, 'call.show: field "call" must be one line of plain text'),
        ({"do": "call.show", "call": "x" * 201}, 'call.show: field "call" is longer than 200 characters'),
        ({"do": "status", "x": 1}, 'status has no field "x"; its fields are: none'),
        (
            {"do": "agent.pause", "agent": "anna", "raeson": "x"},
            'agent.pause has no field "raeson"; its fields are: agent, reason',
        ),
        (
            {"do": "queue.show", "queue": "no\x1bne"},
            'queue.show: field "queue" must be one line of plain text',
        ),
        ({"do": "queue.show", "queue": "none"}, 'there is no queue "none"'),
        ({"do": "call.list", "queue": "none"}, 'there is no queue "none"'),
        ({"do": "agent.show", "agent": "zoe"}, 'there is no agent "zoe"'),
        ({"do": "agent.unlock", "agent": "PJSIP/9"}, 'there is no agent or phone "PJSIP/9"'),
        ({"do": "call.show", "call": "1.1"}, 'there is no live call "1.1"'),
        ({"do": "agent.login", "agent": "zoe"}, "no agent 'zoe' in the configuration"),
        ({"do": "agent.pause", "agent": "anna"}, "anna is not logged in"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong_and_may_go_on(
    server: ControlServer, path: Path, request_: dict[str, object], text: str
) -> None:
    async with Peer(path) as peer:
        answer = await peer.ask(**request_)
        assert (answer["ok"], answer["text"]) == (False, text)
        assert (await peer.ask(id=1, do="status"))["ok"]


async def test_unknown_command_names_those_that_exist(server: ControlServer, path: Path) -> None:
    async with Peer(path) as peer:
        answer = await peer.ask(id=1, do="agent.\x1b[31mfire" + "x" * 100)
    assert answer["text"].startswith('there is no command "agent.?[31mfire')
    assert "agent.list, agent.login" in answer["text"]
    assert "x" * 40 not in answer["text"]


async def test_agents_are_steered(server: ControlServer, path: Path, board: Board) -> None:
    async with Peer(path) as peer:
        for do, extra, text, state in [
            ("login", {}, "anna is logged in", "available"),
            ("pause", {}, "anna is paused: break", "paused"),
            ("pause", {"reason": "lunch"}, "anna is paused: lunch", "paused"),
            ("unpause", {}, "anna is not paused any more", "available"),
            ("logout", {}, "anna is logged out", "logged_out"),
        ]:
            answer = await peer.ask(id=1, do=f"agent.{do}", agent="anna", **extra)
            assert (answer["ok"], answer["text"], answer["data"]["state"]) == (True, text, state)
        await peer.ask(do="agent.login", agent="anna")
        answer = await peer.ask(do="agent.pause", agent="anna", reason="golf")
        assert (answer["ok"], answer["text"]) == (
            False,
            "anna cannot pause for 'golf'; the reasons are: break, lunch",
        )


async def test_reading_commands_show_the_live_board(server: ControlServer, path: Path, board: Board) -> None:
    board.login("anna")
    talking, waiting = board.caller("sales"), board.caller("sales", None)
    board.answer(talking)
    board.go(30)
    async with Peer(path) as peer:
        status = (await peer.ask(do="status"))["data"]
        assert (status["uptime_s"], status["asterisk_version"], status["link"]["up"]) == (
            30.0,
            "22.5.2",
            True,
        )
        assert status["calls"]["states"] == {"talking": 1, "holding": 1}
        listed = (await peer.ask(do="call.list"))["data"]
        assert (listed["total"], [row["call"] for row in listed["calls"]]) == (2, [talking, waiting])
        assert (await peer.ask(do="call.list", queue="support"))["data"] == {"total": 0, "calls": []}
        queue = (await peer.ask(do="queue.show", queue="sales"))["data"]
        assert [row["call"] for row in queue["line"]] == [waiting]
        assert (await peer.ask(do="agent.show", agent="anna"))["data"]["call"] == talking
        queues = await peer.ask(do="queue.list")
        assert queues["text"] == "2 queues, 1 callers waiting"
        assert queues["data"][0]["since_start"]["service_level"] is None
        line = await peer.ask(do="call.waiting")
        assert (line["text"], line["data"]["total"]) == ("1 callers waiting", 1)
        assert [(row["position"], row["call"]) for row in line["data"]["calls"]] == [(1, waiting)]
        board.hang_up(talking)
        (sales, _) = (await peer.ask(do="queue.list"))["data"]
        assert (sales["since_start"]["answered"], sales["since_start"]["service_level"]) == (1, 1.0)
        assert (await peer.ask(do="call.show", call=waiting))["data"]["position"] == 1
        assert (await peer.ask(do="reload"))["text"] == "the plan is loaded"
        assert (await peer.ask(do="reload", dry_run="yes"))["text"] == "nothing is changed"
        assert "must be yes or no" in (await peer.ask(do="reload", dry_run="maybe"))["text"]


async def test_a_fault_behind_a_command_is_told_once_and_harms_no_other(path: Path) -> None:
    async def breaks(fields: dict[str, object]) -> Answer:
        raise LookupError("secret inside")

    async def unjson(fields: dict[str, object]) -> Answer:
        return Answer(True, "", object())

    async def late(fields: dict[str, object]) -> Answer:
        raise TimeoutError

    async def stuck(fields: dict[str, object]) -> Answer:
        await asyncio.Event().wait()
        return Answer(True, "")

    async def fine(fields: dict[str, object]) -> Answer:
        return Answer(True, "fine")

    handlers = {"breaks": breaks, "unjson": unjson, "late": late, "stuck": stuck, "fine": fine}
    server = ControlServer(path, handlers, command_timeout=0.05)
    await server.start()
    async with Peer(path) as peer:
        with capture_logs() as logs:
            for do in ("breaks", "unjson", "late"):
                answer = await peer.ask(id=5, do=do)
                assert answer["text"] == f"{do} has failed inside the daemon; its log says why"
                assert (answer["id"], answer["ok"]) == (5, False)
        assert [(line["event"], line["do"]) for line in logs] == [
            ("control_failed", "breaks"),
            ("control_failed", "unjson"),
            ("control_failed", "late"),
        ]
        answer = await peer.ask(id=6, do="stuck")
        assert answer["text"] == "stuck has not ended within 0.05 s; it may still take effect"
        assert (await peer.ask(do="fine"))["ok"]
    await server.stop()


async def test_a_request_has_a_length_limit(server: ControlServer, path: Path) -> None:
    async with Peer(path) as peer:
        fits = b'{"do": "status", "id": 1}'
        peer.writer.write(fits + b" " * (LINE_LIMIT - len(fits)) + b"\n")
        assert (await peer.answer())["ok"]
        peer.writer.write(fits + b" " * (LINE_LIMIT + 1 - len(fits)) + b"\n")
        assert (await peer.answer())["text"] == "a request is at most 65536 bytes"
        assert await peer.ended() == b""
    assert server.counts["line_too_long"] == 1


async def test_connections_have_a_cap(path: Path) -> None:
    """With a request under way on each of them, the next one is turned away."""
    gate = asyncio.Event()

    async def wait(fields: dict[str, object]) -> Answer:
        await gate.wait()
        return Answer(True, "done")

    server = ControlServer(path, {"wait": wait}, connection_cap=4)
    await server.start()
    peers = [await Peer(path).__aenter__() for _ in range(4)]
    asked = [asyncio.ensure_future(peer.ask(do="wait")) for peer in peers]
    await until(lambda: server.counts["requests"] == 4)
    async with Peer(path) as fifth:
        assert (await fifth.answer())["text"] == "the daemon serves 4 connections already; try again"
        assert await fifth.ended() == b""
    gate.set()
    assert [(await one)["ok"] for one in asked] == [True] * 4
    async with Peer(path) as again:
        assert (await again.ask(do="wait"))["ok"]
    assert (server.counts["over_cap"], server.counts["made_room"]) == (1, 1)
    for peer in peers:
        await peer.__aexit__()
    await server.stop()


async def test_who_holds_connections_locks_nobody_out(board: Board, path: Path) -> None:
    server = ControlServer(path, board.commands().handlers(), connection_cap=4)
    await server.start()
    holders = [await Peer(path).__aenter__() for _ in range(4)]
    for holder in holders[1:]:
        assert (await holder.ask(do="status"))["ok"]
    assert (await holders[0].ask(do="status"))["ok"]  # the last one that was heard of
    async with Peer(path) as fifth:
        assert (await fifth.ask(do="status"))["ok"]
        assert await holders[1].ended() == b""
        assert server.counts["made_room"] == 1
        assert (await holders[0].ask(do="status"))["ok"]
    for holder in holders:
        await holder.__aexit__()
    await server.stop()


async def test_a_slow_line_and_an_idle_peer_are_let_go(board: Board, path: Path) -> None:
    server = ControlServer(path, board.commands().handlers(), line_timeout=0.1, idle_timeout=0.3)
    await server.start()
    async with Peer(path) as mute, Peer(path) as slow, Peer(path) as idle:
        assert (await idle.ask(do="status"))["ok"]
        ended = asyncio.ensure_future(slow.ended())
        async with asyncio.timeout(WAIT):
            while not ended.done():  # each byte comes in time, the line does not
                slow.writer.write(b" ")
                await asyncio.wait([ended], timeout=0.02)
        await mute.ended()
        await idle.ended()
    assert (server.counts["line_timeout"], server.counts["idle_timeout"]) == (2, 1)
    await server.stop()


async def test_a_peer_that_does_not_read_is_let_go(board: Board, path: Path) -> None:
    for _ in range(300):
        board.caller("sales")
    server = ControlServer(path, board.commands().handlers(), line_timeout=0.1)
    await server.start()
    deaf = socket.socket(socket.AF_UNIX)
    with deaf:
        deaf.connect(str(path))
        deaf.sendall(b'{"do": "call.list"}\n' * 50)
        await until(lambda: server.counts["unread"] == 1)
        assert server.counts["requests"] < 50
        await until(lambda: not server.connections)
    await server.stop()


async def test_stop_answers_what_is_under_way(path: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(fields: dict[str, object]) -> Answer:
        begun.set()
        await go.wait()
        return Answer(True, "done")

    server = ControlServer(path, {"slow": slow})
    await server.start()
    async with Peer(path) as peer, Peer(path) as idle:
        asked = asyncio.ensure_future(peer.ask(do="slow"))
        await begun.wait()
        stopping = asyncio.ensure_future(server.stop())
        assert await idle.ended() == b""
        assert mode_of(path) is None
        go.set()
        assert (await asked)["text"] == "done"
        assert await peer.ended() == b""
        await stopping


async def test_stop_is_not_held_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccbridge.control.server.GRACE", 0.05)

    async def stuck(fields: dict[str, object]) -> Answer:
        await asyncio.Event().wait()
        return Answer(True, "")

    server = ControlServer(path, {"stuck": stuck})
    await server.start()
    async with Peer(path) as peer:
        peer.writer.write(b'{"do": "stuck"}\n')
        await until(lambda: server.counts["requests"] == 1)
        await server.stop()
        assert await peer.ended() == b""
    await server.stop()


# -- the socket's file


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_mode(board: Board, path: Path, umask: int) -> None:
    server = ControlServer(path, board.commands().handlers())
    before = os.umask(umask)
    try:
        await server.start()
    finally:
        os.umask(before)
    assert mode_of(path) == 0o660
    with pytest.raises(RuntimeError, match="started before"):
        await server.start()
    await server.stop()
    assert mode_of(path) is None


async def test_a_dead_runs_socket_is_replaced(board: Board, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer(path, board.commands().handlers())
    await server.start()
    async with Peer(path) as peer:
        assert (await peer.ask(do="status"))["ok"]
    await server.stop()


async def test_a_living_daemons_socket_is_not(server: ControlServer, board: Board, path: Path) -> None:
    other = ControlServer(path, board.commands().handlers())
    with pytest.raises(SocketTaken, match="somebody listens on"):
        await other.start()
    await other.stop()
    async with Peer(path) as peer:
        assert (await peer.ask(do="status"))["ok"]


def test_what_is_no_socket_stays(board: Board, path: Path) -> None:
    path.write_text("dear diary")
    with pytest.raises(SocketTaken, match="exists and is no socket"):
        asyncio.run(ControlServer(path, board.commands().handlers()).start())
    assert path.read_text() == "dear diary"


async def test_stop_leaves_a_successors_socket(board: Board, path: Path) -> None:
    first = ControlServer(path, board.commands().handlers())
    await first.start()
    os.unlink(path)
    second = ControlServer(path, board.commands().handlers())
    await second.start()
    await first.stop()
    async with Peer(path) as peer:
        assert (await peer.ask(do="status"))["ok"]
    await second.stop()


def test_a_path_too_long_for_a_socket_address(board: Board, tmp_path: Path) -> None:
    path = tmp_path / ("d" * 120) / "control.sock"
    with Daemon(path, board), ControlClient(path) as client:
        assert client.ask("status").ok
    assert not path.exists()


# -- the client


def test_client(board: Board, path: Path) -> None:
    with Daemon(path, board), ControlClient(path) as client:
        assert client.ask("agent.login", agent="anna").text == "anna is logged in"
        answer = client.ask("agent.pause", agent="anna", reason="golf")
        assert (answer.ok, answer.data["state"]) == (False, "available")
        for _ in range(2500):
            board.caller("sales")  # the daemon's loop is idle: nobody else touches the board
        answer = client.ask("call.list")
        assert (answer.data["total"], len(answer.data["calls"])) == (2500, 500)


def test_a_busy_daemon(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        with pytest.raises(DaemonAway, match="is too busy to answer"):
            ControlClient(path, timeout=0.1)


def test_no_daemon(path: Path) -> None:
    text = f"no ccbridge daemon answers on {path}: start it with `ccbridge run -c FILE`"
    with pytest.raises(DaemonAway) as away:
        ControlClient(path)
    assert str(away.value) == text
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(DaemonAway) as away:
        ControlClient(path)
    assert str(away.value) == text


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"", "has closed the connection without an answer"),
        (b'{"ok": true', "has closed the connection without an answer"),
        (b"hello\n", "is no ccbridge daemon"),
        (b"[]\n", "is no ccbridge daemon"),
        (b'{"ok": true}\n', "is no ccbridge daemon"),
        (None, "has not answered in time"),
    ],
)
def test_a_strange_daemon(path: Path, reply: bytes | None, text: str) -> None:
    done = threading.Event()

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(1000)
            if reply is None:
                assert done.wait(WAIT)
            else:
                peer.sendall(reply)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        with ControlClient(path, timeout=0.2 if reply is None else WAIT) as client:
            with pytest.raises(DaemonAway, match=text):
                client.ask("status")
            done.set()
        thread.join(WAIT)


# -- strangers


def test_ten_thousand_connects_and_a_megabyte_of_garbage(board: Board, path: Path) -> None:
    """Whatever comes in, one turn of the loop takes no more than a backlog's worth of it."""
    turns = [0]

    def turn() -> None:
        turns.append(daemon.server.counts["connections"] + daemon.server.counts["requests"])
        daemon.loop.call_soon(turn)

    with capture_logs() as logs, Daemon(path, board) as daemon:
        daemon.loop.call_soon_threadsafe(turn)
        for _ in range(10_000):
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(str(path))
        for block in (b"x" * 65_536, b"\n" * 65_536, b"{}\n" * 20_000, os.urandom(65_536)):
            for _ in range(4):
                _shout(path, block)
        with ControlClient(path) as client:
            assert client.ask("status").ok
        until_now(lambda: not daemon.server.connections)
        counts = daemon.server.counts
    assert counts["connections"] == 10_017
    assert counts["failed"] == 0
    assert [line["event"] for line in logs] == ["control_listening"]
    assert max(now - before for before, now in itertools.pairwise(turns)) <= BACKLOG + 64  # connections


def _shout(path: Path, block: bytes) -> None:
    with (
        socket.socket(socket.AF_UNIX) as stranger,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
    ):
        stranger.connect(str(path))
        stranger.settimeout(WAIT)
        stranger.sendall(block)


LINES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"do": st.sampled_from(["status", "agent.pause", "agent.login", "call.list", "queue.show", "x"])},
        optional={
            "id": st.one_of(st.integers(), st.text(max_size=50), st.floats(), st.none()),
            "agent": st.one_of(st.sampled_from(["anna", "ben"]), st.text(max_size=300), st.integers()),
            "reason": st.one_of(st.sampled_from(["lunch", ""]), st.text(max_size=20), st.lists(st.none())),
            "queue": st.one_of(st.just("sales"), st.text(max_size=20), st.booleans()),
        },
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=500)
@given(LINES)
def test_any_line_is_a_request_or_refused(line: bytes) -> None:
    try:
        request = parse(line)
    except (NotARequest, Refused):
        return
    assert isinstance(request.do, str)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=6), st.binary(max_size=50))
def test_nothing_that_is_sent_kills_the_server(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], rest: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "control.sock"
    with Daemon(path, Board()) as daemon, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(path))
        stranger.settimeout(WAIT)
        try:
            stranger.sendall(b"".join(line + b"\n" for line in lines) + rest)
            stranger.shutdown(socket.SHUT_WR)
            answers = b""
            while data := stranger.recv(65536):
                answers += data
        except (BrokenPipeError, ConnectionResetError):
            answers = b""
        for answer in answers.splitlines():
            assert set(json.loads(answer)) == {"id", "ok", "text", "data"}
        with ControlClient(path) as client:
            assert client.ask("status").ok
        assert daemon.server.counts["failed"] == 0
