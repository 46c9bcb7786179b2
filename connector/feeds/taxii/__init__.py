"""TAXII 2.0 and 2.1 servers as a feed."""
