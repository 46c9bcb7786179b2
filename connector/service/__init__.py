"""The configured service over one store."""
