"""What must never be stopped."""
