"""The commands: one module a command, each a few lines over the floors below."""
