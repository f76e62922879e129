"""The example site as a starting point, and a way to break it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ccbridge.config import ConfigErrors, Site, load

EXAMPLE = Path(__file__).parents[2] / "config" / "ccbridge.yml"


class Bench:
    """A folder with one ``ccbridge.yml``, made of the example with some texts replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ccbridge.yml"
        self.environ: Mapping[str, str] = {}

    def write(self, text: str) -> Path:
        self.file.write_text(text, encoding="utf-8")
        self.file.chmod(0o600)
        return self.file

    def change(self, *changes: tuple[str, str]) -> str:
        text = EXAMPLE.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        self.write(text)
        return text

    def site(self, *changes: tuple[str, str]) -> Site:
        self.change(*changes)
        return load(self.file, environ=self.environ)

    def lines(self, *changes: tuple[str, str]) -> list[str]:
        """The mistakes of the changed example, without the file's folder."""
        self.change(*changes)
        return self.mistakes()

    def mistakes(self) -> list[str]:
        with pytest.raises(ConfigErrors) as caught:
            load(self.file, environ=self.environ)
        return [str(mistake).replace(f"{self.file}:", "", 1) for mistake in caught.value.mistakes]
