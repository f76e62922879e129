"""Imports run one way (docs/architecture.md): an arrow in the wrong direction fails here."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ccbridge

ROOT = Path(ccbridge.__file__).parent
DOORS = {"ami", "agi", "store", "web"}


def rooms() -> dict[str, set[str]]:
    """Room -> the rooms and foreign packages that it imports. A module at the top is a room of its own."""
    found: dict[str, set[str]] = {}
    for file in ROOT.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found.setdefault(parts[0], set()).update(_imports(file, parts))
    return found


def _imports(file: Path, parts: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["ccbridge", *parts[: len(parts) - node.level]] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, _, rest = name.partition(".")
            yield f"ccbridge.{rest.partition('.')[0]}" if head == "ccbridge" else head


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    return rooms()


def test_the_walk_sees_the_house(arrows: dict[str, set[str]]) -> None:
    assert {"core", "ami", "agi", "store", "config", "cli", "lab"} <= arrows.keys()
    assert "ccbridge.core" in arrows["ami"]


def test_core_imports_the_standard_library_only(arrows: dict[str, set[str]]) -> None:
    foreign = {name for name in arrows["core"] if name not in sys.stdlib_module_names}
    assert foreign == {"ccbridge.core"}


def test_core_reads_no_clock_and_does_no_work_of_the_outside(arrows: dict[str, set[str]]) -> None:
    assert not arrows["core"] & {"asyncio", "threading", "logging", "random", "socket", "os", "datetime"} - {
        "datetime"  # core.view and names of recordings: arithmetic on moments that are given
    }
    for file in (ROOT / "core").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {
                    ("time", "time"), ("time", "monotonic"), ("datetime", "now"), ("datetime", "today"),
                }, file  # fmt: skip


def test_the_doors_do_not_know_each_other(arrows: dict[str, set[str]]) -> None:
    for door in DOORS & arrows.keys():
        others = {f"ccbridge.{other}" for other in DOORS - {door}}
        assert not arrows[door] & others, door


def test_the_simulation_has_no_outside(arrows: dict[str, set[str]]) -> None:
    """Its clock and its chance are its own."""
    inside = {"ccbridge.core", "ccbridge.config", "ccbridge.reports", "ccbridge.simulate"}
    assert {name for name in arrows["simulate"] if name.startswith("ccbridge.")} <= inside
    assert not arrows["simulate"] & {"asyncio", "threading", "socket", "time", "datetime", "os"}


def test_prompts_know_nobody(arrows: dict[str, set[str]]) -> None:
    assert {name for name in arrows["prompts"] if name.startswith("ccbridge.")} == {"ccbridge.prompts"}
    they = {room for room, names in arrows.items() if "ccbridge.prompts" in names}
    assert they <= {"prompts", "config", "agi", "menus", "doctor", "daemon", "cli"}


def test_no_two_test_files_share_a_name() -> None:
    """pytest would refuse to collect the second, but only where both are asked for."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_only_the_command_line_knows_the_lab(arrows: dict[str, set[str]]) -> None:
    assert {room for room, names in arrows.items() if "ccbridge.lab" in names} <= {"lab", "cli"}


def test_nobody_imports_the_composition_roots(arrows: dict[str, set[str]]) -> None:
    assert {room for room, names in arrows.items() if "ccbridge.daemon" in names} <= {"daemon", "cli", "lab"}
    assert {room for room, names in arrows.items() if "ccbridge.cli" in names} <= {"cli", "__main__"}
