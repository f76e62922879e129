"""ccbridge: call-centre software beside an Asterisk PBX."""

__version__ = "0.1.0"
