"""The routing core: pure, synchronous, standard library only.

Inputs (what can happen) go in, effects (what we ask for) come out; time is an argument.
"""
