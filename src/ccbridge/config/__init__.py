"""``ccbridge.yml``: read, checked whole, and turned into the core's plan."""

from ccbridge.config.loader import DEFAULT_PATH, Site, load
from ccbridge.config.mistakes import ConfigErrors, Mistake

__all__ = ["DEFAULT_PATH", "ConfigErrors", "Mistake", "Site", "load"]
