"""What if: the routing core on a simulated clock, with a load that is made up."""
