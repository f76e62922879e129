"""Commands about what is over, from a real PostgreSQL."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cli_rig import Past, Shell
from control_rig import Daemon

from ccbridge.cli.past import local_day, local_zone, of_day, to_day
from ccbridge.core.records import PlanBegan
from ccbridge.core.version import told
from ccbridge.store.rows import Numbered, store
from ccbridge.store.urls import for_libpq

pytestmark = pytest.mark.pg

STORED = [
    ["call", "list", "--day", "today"],
    ["call", "show", "1.1"],
    ["call", "explain", "1.1"],
    ["customer", "show", "2101234567"],
    ["ticket", "list"],
    ["ticket", "show", "1"],
    ["recording", "list"],
    ["recording", "path", "1.1"],
    ["report", "day"],
    ["reconcile"],
    ["config", "history"],
    ["config", "show"],
    ["audit"],
    ["score", "list"],
    ["score", "show", "1.1"],
    ["vip", "list"],
    ["vip", "add", "2101234567"],
    ["block", "list"],
    ["block", "remove", "2101234567"],
    ["ivr", "answers", "list"],
    ["report", "ivr"],
]


def day_of(past: Past, call: str) -> str:
    """The UTC day on which the call arrived."""
    world = [e.record for e in past.board.effects if hasattr(e, "record")]
    at = next(r.at for r in world if getattr(r, "call", "") == call)
    return datetime.fromtimestamp(at, UTC).date().isoformat()


@pytest.mark.parametrize("words", STORED, ids=" ".join)
@pytest.mark.parametrize("json_", [[], ["--json"]], ids=["text", "json"])
def test_without_a_database_one_sentence_and_exit_3(shell: Shell, words: list[str], json_: list[str]) -> None:
    result = shell.run(*words, *json_, code=3)
    assert re.fullmatch(r"The database 127\.0\.0\.1:1/none does not answer: [^\n]+\n", result.stderr)
    assert "secret" not in result.stderr
    assert result.stdout == ""


def test_a_database_without_tables(pg_server: str, write_site: Callable[[str], Path]) -> None:
    result = Shell(write_site(pg_server)).run("ticket", "list", code=3)
    assert result.stderr.endswith("has not this version's tables: run `ccbridge db status`.\n")


def test_which_configuration_was_in_force_when(archive: Shell, past: Past) -> None:
    world = past.board.board.world
    ring = {"queues": {**told(world.plan)["queues"], "sales": {"ring": 77}}}
    with psycopg.connect(for_libpq(past.database.url)) as db:
        for seq, (version, more) in enumerate((("after", ring), (world.version, {})), 1001):
            began = PlanBegan(time.time() + seq, version, {**told(world.plan), **more})
            store(db, uuid.uuid4(), [Numbered(seq, began)])
    rows = archive.json("config", "history")
    assert [row["version"] for row in rows] == [world.version, "after", world.version]
    assert "queues.sales.ring: 15 -> 77" in rows[1]["differences"]
    assert rows[2]["differences"] is None
    lines = archive.run("config", "history", "--limit", "2").stdout.splitlines()
    assert "queues.sales.ring: 77 -> 15" in lines[1]
    assert len(lines) == 3
    shown = archive.run("config", "show", "--version", "after").stdout
    assert json.loads(shown)["queues"]["sales"] == {"ring": 77}
    assert json.loads(archive.run("config", "show").stdout) == told(world.plan)
    assert "Άννα" not in archive.run("config", "show", "--json").stdout
    against = archive.run("config", "show", "--version", "after", "--against", world.version).stdout
    assert "queues.sales.ring: 15 -> 77\n" in against
    assert archive.json("config", "show", "--against", world.version) == []
    refused = archive.run("config", "show", "--version", "zzz", code=1)
    assert refused.stderr == "no configuration zzz is known to have been in force\n"


def test_calls_of_a_day(archive: Shell, past: Past) -> None:
    day = day_of(past, past.talked)
    rows = archive.json("call", "list", "--day", day)["calls"]
    talked = next(row for row in rows if row["call_id"] == past.talked)
    assert (talked["disposition"], talked["wait_s"], talked["talk_s"]) == ("answered", 12.0, 95.0)
    assert past.open not in [row["call_id"] for row in rows]
    lines = archive.run("call", "list", "--day", day, "--queue", "sales").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:4] == ["call", "arrived", "caller", "queue"]
    assert re.search(rf"^{past.talked} .* \+302101234567 +sales +0:12 +1:35 +anna +answered +", lines[1])
    assert archive.run("call", "list", "--day", day, "--limit", "1").stderr.startswith(
        "the newest 1 are shown"
    )
    assert archive.json("call", "list", "--day", "2001-01-01") == {"day": "2001-01-01", "calls": []}


def test_a_past_call_with_its_timeline(archive: Shell, past: Past) -> None:
    found = archive.json("call", "show", past.talked)
    assert (found["call"], found["live"]) == (past.talked, None)
    assert found["stored"]["disposition"] == "answered"
    kinds = [(event["kind"], event["after_s"]) for event in found["events"]]
    assert kinds == [
        ("arrived", 0.0),
        ("queued", 0.0),
        ("holding", 0.0),
        ("offered", 0.0),
        ("dialled", 0.0),
        ("ringing", 0.0),
        ("answered", 12.0),
        ("offer_ended", 107.0),
        ("ended", 107.0),
    ]
    assert [one["agent"] for one in found["recordings"]] == ["anna"]
    assert found["ticket"]["call_id"] == past.talked
    text = archive.run("call", "show", past.talked).stdout
    assert re.search(r"^state +answered$", text, re.M)
    answered = r"^\+0:12\.000 +\d\d:\d\d:\d\d +answered +leg \S+, agent anna, offer "
    assert re.search(answered, text, re.M)
    assert re.search(r"^\+1:47\.000 .* ended +", text, re.M)
    assert re.search(r" queued +queue sales, since \d\d:\d\d:\d\d, priority 0$", text, re.M)
    assert archive.run("call", "show", "1.1", code=1).stderr == "there is no call 1.1\n"


def test_an_open_call_has_a_timeline_too(past: Past, archive: Shell) -> None:
    found = archive.json("call", "show", past.open)
    assert [event["kind"] for event in found["events"]] == [
        "arrived", "queued", "holding", "waiting", "estimated",
    ]  # fmt: skip
    assert "disposition" not in found["stored"]
    assert re.search(r"^state +open$", archive.run("call", "show", past.open).stdout, re.M)
    with Daemon(archive.site.parent / "control.sock", past.board):
        found = archive.json("call", "show", past.open)
        assert found["live"]["state"] == "holding"
        assert len(found["events"]) == 5
        text = archive.run("call", "show", past.open).stdout
        assert re.search(r"^state +holding \(live\)$", text, re.M)
        assert re.search(r"^\+0:00\.000 .* arrived", text, re.M)


@pytest.mark.parametrize(
    "number",
    ["2101234567", "+302101234567", "+30 210 1234567", "210/123 4567", "00302101234567", "210-1234567"],
)
def test_a_customer_by_any_spelling_of_his_number(archive: Shell, past: Past, number: str) -> None:
    row = archive.json("customer", "show", number)
    assert row["numbers"] == ["+302101234567"]
    assert [call["call_id"] for call in row["calls"]] == [past.talked]
    assert [one["call_id"] for one in row["tickets"]] == [past.talked]


def test_customers_in_words(archive: Shell) -> None:
    text = archive.run("customer", "show", "+30", "210", "1234567").stdout
    assert re.search(r"^numbers +\+302101234567$", text, re.M)
    assert "disposition" in text
    assert "set by agent" in text
    wrong = archive.run("customer", "show", "hello", code=2)
    assert wrong.stderr == "hello is no telephone number, seen from GR\n"
    unknown = archive.run("customer", "show", "2107654321", code=1)
    assert unknown.stderr == "there is no customer with the number +302107654321\n"


def test_tickets(archive: Shell, past: Past) -> None:
    rows = archive.json("ticket", "list")
    assert {past.talked, past.open} <= {row["call_id"] for row in rows}
    day = day_of(past, past.talked)
    assert past.talked in {
        row["call_id"] for row in archive.json("ticket", "list", "--day", day, "--state", "open")
    }
    assert archive.json("ticket", "list", "--day", "2001-01-01") == []
    assert archive.json("ticket", "list", "--state", "resolved") == []
    assert archive.run("ticket", "list", "--limit", "1").stderr.startswith("the newest 1 are shown")
    number = next(row["id"] for row in rows if row["call_id"] == past.talked)
    one = archive.json("ticket", "show", str(number))
    assert one["call"]["call_id"] == past.talked
    text = archive.run("ticket", "show", str(number)).stdout
    assert re.search(r"^state +open \(no outcome keyed\)$", text, re.M)
    assert archive.run("ticket", "show", "999999", code=1).stderr == "there is no ticket 999999\n"
    archive.run("ticket", "show", "x", code=2)


def test_recordings(archive: Shell, past: Past) -> None:
    (row,) = archive.json("recording", "list", "--day", day_of(past, past.talked))
    assert (row["call_id"], row["agent"], row["state"]) == (past.talked, "anna", "ended")
    assert row["path"] in archive.run("recording", "list").stdout
    missing = archive.run("recording", "path", past.talked, code=1)
    assert missing.stderr == f"recording {row['id']} is ended: no file of it is here\n"
    assert archive.run("recording", "path", past.abandoned, code=1).stderr == (
        f"there is no recording of {past.abandoned}\n"
    )
    base = archive.site.parent / "recordings" / row["path"]
    base.parent.mkdir(parents=True)
    sides = [Path(f"{base}-r.wav"), Path(f"{base}-t.wav")]
    for side in sides:
        side.touch()
    assert archive.run("recording", "path", past.talked).stdout.splitlines() == [str(side) for side in sides]
    Path(f"{base}.wav").touch()
    assert archive.run("recording", "path", str(row["id"])).stdout == f"{base}.wav\n"
    assert archive.json("recording", "path", past.talked)[0]["files"] == [f"{base}.wav"]


def test_the_days_report(archive: Shell, past: Past) -> None:
    day = day_of(past, past.talked)
    found = archive.json("report", "day", day)
    assert (found["day"], found["zone"]) == (day, "UTC")
    sales = found["queues"]["sales"]
    assert (sales["answered"], sales["asa_s"], sales["mean_talk_s"]) == (1, 12.0, 95.0)
    text = archive.run("report", "day", day).stdout
    assert re.search(r"^sales +1 +1 +0 +0 +100\.0% +20 s +0:12 +0:12 +1:35$", text, re.M)
    assert re.search(r"^total ", text, re.M)
    assert re.search(r"^expected wait +compared +unanswered +error +off +near +app_queue error ", text, re.M)
    assert re.search(r"^anna +1 +0 +0 +0 +0 +0 +1:35 +0:00 +1:35 ", text, re.M)
    only = archive.run("report", "day", day, "--queue", "support").stdout
    assert ("sales" in only, "support" in only, "anna" in only) == (False, True, False)
    assert list(archive.json("report", "day", day, "--queue", "support")["queues"]) == ["support"]
    assert archive.run("report", "day", day, "--queue", "none", code=1).stderr.startswith(
        "there is no queue none"
    )
    assert "is no day" in archive.run("report", "day", "31.1.2026", code=2).stderr
    assert archive.json("report", "day")["day"] == datetime.now(UTC).date().isoformat()


def test_reconcile(archive: Shell, past: Past) -> None:
    """A site without Asterisk's files, whose calls have no CDRs."""
    day = day_of(past, past.talked)
    found = json.loads(archive.run("reconcile", "--day", day, "--json", code=1).stdout)
    assert (found["day"], found["unexplained"] > 0) == (day, True)
    kinds = {(one["kind"], one["what"], one["explained"]) for one in found["differences"]}
    assert ("no_cdr", past.talked, False) in kinds
    text = archive.run("reconcile", "--day", day, code=1).stdout
    assert re.search(rf"^no +no_cdr +{past.talked} +Asterisk wrote no CDR: ", text, re.M)
    assert text.splitlines()[-1].startswith(f"{day}: {found['calls']} calls, 0 CDRs, ")
    quiet = archive.run("reconcile", "--day", "2001-01-01", code=1).stdout
    assert "no_file" in quiet  # whatever the day, what was not read may belong to it


# -- days


def test_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Athens")
    assert local_zone() == "Europe/Athens"
    start, stop = local_day(to_day(None, None, "2026-03-29"))  # type: ignore[arg-type]
    assert (start.isoformat(), stop.isoformat()) == ("2026-03-29T00:00:00+02:00", "2026-03-30T00:00:00+03:00")
    today, yesterday = (to_day(None, None, word) for word in ("today", "yesterday"))  # type: ignore[arg-type]
    assert today - yesterday == timedelta(days=1)  # type: ignore[operator]
    monkeypatch.setenv("TZ", "EET-2EEST,M3.5.0/3,M10.5.0/4")
    monkeypatch.setattr("ccbridge.cli.past.LOCALTIME", Path("/nonesuch"))
    assert local_zone() == "UTC"


def test_a_day_far_back_is_searched_to_its_end() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [{"at": start + timedelta(hours=n)} for n in reversed(range(240))]
    asked = []

    def newest(count: int) -> list[dict[str, datetime]]:
        asked.append(count)
        return rows[:count]

    day = to_day(None, None, "2026-01-03")  # type: ignore[arg-type]
    assert of_day(newest, "at", day, 30) == rows[240 - 72 : 240 - 48]
    assert asked == [30, 120, 480]
    assert of_day(newest, "at", day, 5) == rows[240 - 72 : 240 - 67]
    assert of_day(newest, "at", None, 5) == rows[:5]


def test_a_customer_gets_a_priority(archive: Shell) -> None:
    said = archive.run("customer", "priority", "210", "1234567", "--to", "20").stdout
    assert said == "+302101234567 has the priority 20\n"
    assert archive.json("customer", "show", "2101234567")["priority"] == 20
    unknown = archive.run("customer", "priority", "2107654321", "--to", "5", code=1)
    assert unknown.stderr == "there is no customer with the number +302107654321\n"
    archive.run("customer", "priority", "2101234567", "--to", "101", code=2)
    assert archive.json("customer", "priority", "2101234567", "--to", "0")["priority"] == 0


def test_a_customer_gets_an_agent_of_his_own(archive: Shell) -> None:
    said = archive.run("customer", "owner", "210", "1234567", "--to", "anna").stdout
    assert said == "+302101234567 belongs to anna\n"
    assert archive.json("customer", "show", "2101234567")["owner"] == "anna"
    unknown = archive.run("customer", "owner", "2107654321", "--to", "anna", code=1)
    assert unknown.stderr == "there is no customer with the number +302107654321\n"
    nobody = archive.run("customer", "owner", "2101234567", "--to", "eve", code=2)
    assert nobody.stderr == "no agent eve in the configuration\n"
    archive.run("customer", "owner", "2101234567", code=2)
    archive.run("customer", "owner", "2101234567", "--to", "anna", "--nobody", code=2)
    assert archive.json("customer", "owner", "2101234567", "--to", "") == {
        "number": "+302101234567", "owner": None,
    }  # fmt: skip
    assert archive.json("customer", "owner", "2101234567", "--to", "anna")["owner"] == "anna"
    said = archive.run("customer", "owner", "2101234567", "--nobody").stdout
    assert said == "+302101234567 belongs to nobody\n"
    assert archive.json("customer", "show", "2101234567")["owner"] is None
