"""List server, health and metrics."""
