"""Feeds that come with the package."""
