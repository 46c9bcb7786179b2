"""What people and scripts are told: status, plans, explanations, metrics."""
