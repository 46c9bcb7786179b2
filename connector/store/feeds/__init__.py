"""The feeds' side of the store: objects, claims, context, runs."""
