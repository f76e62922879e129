"""Supervisors and what they do with agents at work. Pure, as ``core`` is."""
