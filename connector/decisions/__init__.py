"""Decides what to do about claims: decide, protect, map, plan. Pure."""
