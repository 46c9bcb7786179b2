"""A TAXII server on loopback for tests, benchmarks and the demo."""
