"""Observables: one canonical form for each value of each type."""
