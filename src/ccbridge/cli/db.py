"""``ccbridge db``: the database's tables, made and brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg
from sqlalchemy.exc import DBAPIError

from ccbridge.cli import show
from ccbridge.cli.here import Away, Here, NotDone, WrongUse, common, pass_here
from ccbridge.store import schema, urls
from ccbridge.store.roles import RoleRefused


@click.group()
def db() -> None:
    """The database's tables. `init` and `upgrade` log in with database.admin_url."""


@db.command()
@common
@pass_here
def init(here: Here, as_json: bool) -> None:
    """Make the database, the daemon's role, the tables and the grants. What exists is left as it is."""
    url, admin = _urls(here)
    with _said():
        _tell(schema.init(_needed(admin), url), url, as_json)


@db.command()
@common
@pass_here
def upgrade(here: Here, as_json: bool) -> None:
    """Run the missing migrations, make partitions for the coming months, renew the grants."""
    url, admin = _urls(here)
    with _said():
        _tell(schema.upgrade(_needed(admin), url), url, as_json)


@db.command()
@common
@pass_here
def status(here: Here, as_json: bool) -> None:
    """Say whether the tables are those of this version. Exit 0: yes. Exit 1: no. Exit 3: no database."""
    url, _ = _urls(here)
    with _said():
        state = schema.status(url)
    if as_json:
        show.as_json({"ok": state.ok, "found": state.found, "wanted": state.wanted, "text": state.sentence})
    else:
        click.echo(state.sentence)
    raise SystemExit(0 if state.ok else 1)


def _urls(here: Here) -> tuple[str, str]:
    site = here.site(secrets=True)
    url = site.database.url.get_secret_value()
    if not url:
        raise WrongUse("database.url is not set")
    return url, site.database.admin_url.get_secret_value()


def _needed(admin: str) -> str:
    if not admin:
        raise WrongUse("database.admin_url is not set: the tables need an owner other than the daemon")
    return admin


def _tell(done: list[str], url: str, as_json: bool) -> None:
    if as_json:
        show.as_json({"database": urls.address(url), "done": done})
        return
    for line in done or ["nothing to do"]:
        click.echo(f"{urls.address(url)}: {line}")


@contextmanager
def _said() -> Iterator[None]:
    """Faults of the database as one sentence, without user and password."""
    try:
        yield
    except (schema.SchemaTrouble, RoleRefused) as error:
        raise NotDone(str(error)) from error
    except psycopg.OperationalError as error:
        raise Away(f"The database does not answer: {_last_line(error)}") from error
    except (psycopg.Error, DBAPIError) as error:
        raise NotDone(_last_line(getattr(error, "orig", None) or error)) from error


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
