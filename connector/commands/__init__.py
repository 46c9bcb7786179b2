"""The commands: one module per command, each a few lines on top of the floors below."""
