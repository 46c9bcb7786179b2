"""The feeds included in the package."""
