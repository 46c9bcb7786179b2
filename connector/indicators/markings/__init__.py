"""Markings: their contents, and what they mean for one viewer."""
