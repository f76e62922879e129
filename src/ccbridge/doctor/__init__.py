"""``ccbridge doctor``: is everything in place that calls need? One file for each group of checks."""
