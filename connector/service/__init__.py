"""The configured service on one store."""
