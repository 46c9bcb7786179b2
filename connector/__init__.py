"""Keeps blocklists and watchlists in step with shared threat feeds."""

__version__ = "0.1.0"
