"""SQL: objects, claims, cursors, lists, ledger, plans, audit."""
