"""What is said to people: sentences in several languages, recorded or spoken by a program."""

from ccbridge.prompts.library import Library
from ccbridge.prompts.wording import Speech, Wording

__all__ = ["Library", "Speech", "Wording"]
