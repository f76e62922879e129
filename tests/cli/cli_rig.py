"""The command line as a test uses it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from control_rig import Board

from ccbridge.cli import main
from ccbridge.lab.database import Database

SITE = """\
asterisk: {{secret: none}}
callers: {{country: GR}}
control: {{socket: control.sock}}
recording: {{directory: recordings}}
database: {{url: "{url}"}}
pause_reasons: [break, lunch]
queues:
  sales: {{overflow: "100"}}
  support: {{overflow: "100", ring: 20, wrap_up: 30, priority: 2}}
agents:
  anna: {{name: Άννα Παππά, device: PJSIP/1001, queues: [sales]}}
flows:
  main: {{start: bye, steps: {{bye: {{hangup: true}}}}}}
default_flow: main
"""
NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/none"


@dataclass
class Shell:
    """The command line in one folder."""

    site: Path

    def run(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["-c", str(self.site), *words], prog_name="ccbridge")
        assert result.exit_code == code, (result.output, result.exception)
        if code:
            assert isinstance(result.exception, SystemExit)
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)


@dataclass
class Past:
    """A database with calls in it, as the shipper leaves it."""

    database: Database
    board: Board
    talked: str
    abandoned: str
    open: str
