"""Sample data: feeds, entries and rules."""
