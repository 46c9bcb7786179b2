"""Markings: what they say, and what they mean for one viewer."""
