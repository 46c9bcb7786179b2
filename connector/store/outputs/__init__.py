"""The outputs' side of the store: ledger, plans, audit, times."""
