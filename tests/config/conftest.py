"""A copy of the example site to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from config_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def one(bench: Bench) -> Callable[..., str]:
    """The single mistake that these changes make."""

    def only(*changes: tuple[str, str]) -> str:
        lines = bench.lines(*changes)
        assert len(lines) == 1, lines
        return lines[0]

    return only
