"""``python -m ccbridge``: the same as the console script."""

from ccbridge.cli import main

main()
