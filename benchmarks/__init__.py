"""Figures of the service: each a ratio taken in one run, or a size. `python -m benchmarks`."""
