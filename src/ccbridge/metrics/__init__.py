"""Prometheus: what the daemon counts, and a page of it on a port and a thread of its own."""
