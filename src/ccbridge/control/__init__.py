"""The control socket: how people and programs on this machine ask the daemon, one JSON object a line."""
