"""``ccbridge db``: exit codes and sentences."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from ccbridge.cli import main
from ccbridge.lab.database import Database
from ccbridge.store import urls, version

pytestmark = pytest.mark.pg

SITE = """
asterisk: {{secret: a-secret-of-the-pbx}}
database: {{url: "{url}"{admin}}}
callers: {{country: GR}}
queues: {{sales: {{overflow: "900"}}}}
flows: {{main: {{start: bye, steps: {{bye: {{hangup: true}}}}}}}}
default_flow: main
"""


def run(tmp_path: Path, command: str, url: str, admin: str = "") -> Result:
    file = tmp_path / "ccbridge.yml"
    file.write_text(SITE.format(url=url, admin=f', admin_url: "{admin}"' if admin else ""))
    file.chmod(0o600)
    return CliRunner().invoke(main, ["db", command, "-c", str(file)])


def test_a_new_site(tmp_path: Path, empty: Database) -> None:
    admin, url = empty.admin_url, empty.url
    before = run(tmp_path, "status", admin)
    assert (before.exit_code, before.output) == (
        1,
        "The database has no ccbridge tables yet: run `ccbridge db init`.\n",
    )
    made = run(tmp_path, "init", url, admin)
    assert made.exit_code == 0, made.output
    where, user = urls.address(admin), empty.role
    assert made.output.splitlines() == [
        f"{where}: role {user} created",
        f"{where}: schema none -> {version.head()}",
        f"{where}: 50 monthly partitions made",
        f"{where}: grants of {user} renewed",
    ]
    assert run(tmp_path, "upgrade", url, admin).output == f"{where}: grants of {user} renewed\n"
    after = run(tmp_path, "status", url)
    assert (after.exit_code, after.output) == (0, f"The database schema is up to date ({version.head()}).\n")
    with psycopg.connect(url) as db:
        assert db.execute("SELECT count(*) FROM call_event").fetchone() == (0,)


def test_what_is_wrong_is_one_sentence(tmp_path: Path, pg: str) -> None:
    no_owner = run(tmp_path, "init", "postgresql://u:hidden@127.0.0.1/x")
    assert (no_owner.exit_code, "database.admin_url is not set" in no_owner.output) == (2, True)
    away = run(tmp_path, "status", "postgresql://u:hidden@127.0.0.1:1/none")
    assert (away.exit_code, "does not answer" in away.output) == (3, True)
    same = run(tmp_path, "init", pg, pg)
    assert (same.exit_code, "its own role" in same.output) == (1, True)
    two = run(tmp_path, "init", "postgresql://u:hidden@127.0.0.1/other", pg)
    assert (two.exit_code, "must name the same database" in two.output) == (1, True)
    for told in (no_owner, away, same, two):
        assert "hidden" not in told.output
        assert len(told.output.splitlines()) == 1
    broken = tmp_path / "broken.yml"
    broken.write_text("queues: 5\n")
    told = CliRunner().invoke(main, ["db", "status", "-c", str(broken)])
    assert (told.exit_code, "broken.yml:1" in told.output) == (2, True)
