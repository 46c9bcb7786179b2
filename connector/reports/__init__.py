"""Reports for people and scripts: status, plans, explanations, metrics."""
