"""Lines of the log, as the thread that writes them makes them."""

from __future__ import annotations

import json

import pytest
import structlog

from ccbridge.logs import logging_to_stderr


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_exception_is_told_with_its_traceback(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(style, "info"):
        try:
            raise LookupError("unforeseen")
        except LookupError:
            structlog.get_logger("one").exception("failed", call="c1")
    told = capfd.readouterr().err
    assert "LookupError: unforeseen" in told
    assert "Traceback" in told
    if style == "json":
        assert json.loads(told)["call"] == "c1"
