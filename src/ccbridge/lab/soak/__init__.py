"""Soak: the same load for hours, and whether anything of the daemon grows."""
