"""What we do about it: decide, protect, map, plan. Pure."""
