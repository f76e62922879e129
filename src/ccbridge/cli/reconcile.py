"""``ccbridge reconcile``: one day held against itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, common, pass_here
from ccbridge.cli.past import database, day_option, local_day, local_zone
from ccbridge.gaps.reconcile import counts, differences


@click.command()
@day_option("This day, instead of today.")
@common
@pass_here
def reconcile(here: Here, day: date | None, as_json: bool) -> None:
    """Compare CDRs, CEL, accounts and recordings of a day, and say the reason of each difference.

    Exit 0: every difference is explained. Exit 1: there is one to look into.
    """
    site = here.site()
    chosen = day or datetime.now(ZoneInfo(local_zone())).date()
    start, stop = local_day(chosen)
    files = {"CDRs": site.catch_up.cdr_file, "channel events": site.catch_up.cel_file}
    with database(here) as db:
        found = differences(
            db, start, stop, datetime.now(UTC), site.recording.directory, site.asterisk.system, files
        )
        compared = counts(db, start, stop)
    unexplained = sum(not one.explained for one in found)
    if as_json:
        rows = [
            {"kind": one.kind, "what": one.what, "reason": one.reason, "explained": one.explained}
            for one in found
        ]
        show.as_json({"day": chosen, **compared, "unexplained": unexplained, "differences": rows})
    else:
        if found:
            show.table(
                ["explained", "difference", "of", "reason"],
                [[one.explained, one.kind, one.what, one.reason] for one in found],
            )
            click.echo()
        click.echo(
            f"{chosen}: {compared['calls']} calls, {compared['cdrs']} CDRs, {compared['recordings']} "
            f"recordings; {len(found)} differences, {unexplained} unexplained"
        )
    raise SystemExit(1 if unexplained else 0)
