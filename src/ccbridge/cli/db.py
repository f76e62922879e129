"""``ccbridge db``: the database's tables, made and brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg
from sqlalchemy.exc import DBAPIError

from ccbridge.config import DEFAULT_PATH, ConfigErrors, load
from ccbridge.store import schema, urls
from ccbridge.store.roles import RoleRefused


def _config(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-c", "--config", "file", type=click.Path(path_type=Path), envvar="CCBRIDGE_CONFIG",
        default=DEFAULT_PATH, show_default=True, help="The configuration file.",
    )(command)  # fmt: skip


@click.group()
def db() -> None:
    """The database's tables. `init` and `upgrade` log in with database.admin_url."""


@db.command()
@_config
def init(file: Path) -> None:
    """Make the database, the daemon's role, the tables and the grants. What exists is left as it is."""
    url, admin = _urls(file)
    with _said():
        _tell(schema.init(_needed(admin), url), url)


@db.command()
@_config
def upgrade(file: Path) -> None:
    """Run the missing migrations, make partitions for the coming months, renew the grants."""
    url, admin = _urls(file)
    with _said():
        _tell(schema.upgrade(_needed(admin), url), url)


@db.command()
@_config
def status(file: Path) -> None:
    """Say whether the tables are those of this version. Exit 0: yes. Exit 1: no. Exit 3: no database."""
    url, _ = _urls(file)
    with _said():
        state = schema.status(url)
    click.echo(state.sentence)
    raise SystemExit(0 if state.ok else 1)


def _urls(file: Path) -> tuple[str, str]:
    try:
        site = load(file)
    except ConfigErrors as errors:
        for mistake in errors.mistakes:
            click.echo(str(mistake), err=True)
        raise SystemExit(2) from None
    url = site.database.url.get_secret_value()
    if not url:
        raise click.ClickException("database.url is not set")
    return url, site.database.admin_url.get_secret_value()


def _needed(admin: str) -> str:
    if not admin:
        raise click.ClickException(
            "database.admin_url is not set: the tables need an owner other than the daemon"
        )
    return admin


def _tell(done: list[str], url: str) -> None:
    for line in done or ["nothing to do"]:
        click.echo(f"{urls.address(url)}: {line}")


@contextmanager
def _said() -> Iterator[None]:
    """Faults of the database as one sentence, without user and password."""
    try:
        yield
    except (schema.SchemaTrouble, RoleRefused) as error:
        raise click.ClickException(str(error)) from error
    except psycopg.OperationalError as error:
        click.echo(f"The database does not answer: {_last_line(error)}", err=True)
        raise SystemExit(3) from error
    except (psycopg.Error, DBAPIError) as error:
        raise click.ClickException(_last_line(getattr(error, "orig", None) or error)) from error


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
