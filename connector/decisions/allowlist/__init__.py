"""What must never be blocked."""
