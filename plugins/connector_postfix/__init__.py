"""The postfix output."""
