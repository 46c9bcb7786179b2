"""For tests of adapters and feeds: suites, a TAXII server, sample data."""
