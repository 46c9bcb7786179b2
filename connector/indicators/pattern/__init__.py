"""STIX patterns: from their text to claims."""
