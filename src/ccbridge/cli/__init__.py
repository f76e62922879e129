"""The command line: one file per noun."""


def main() -> None:
    raise SystemExit("not yet")
