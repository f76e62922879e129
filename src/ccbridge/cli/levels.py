"""The option of every command that shows a service level: which definition of it."""

from __future__ import annotations

import click

from ccbridge.reports.metrics import SERVICE_LEVELS

service_level = click.option(
    "--service-level",
    "variant",
    type=click.Choice([one.name for one in SERVICE_LEVELS]),
    default="answered",
    show_default=True,
    help="Which definition of the service level.",
)
