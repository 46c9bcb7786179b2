"""From a list to its targets: refresh, propose, apply."""
