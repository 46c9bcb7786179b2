"""Reads what feeds send: objects, patterns, observables, markings. Pure."""
