"""The lists' side of the store: decided entries, reasons, exceptions."""
