"""First tables: a state without any is made from `tables.sql`, so no migration leads here."""

revision = "0001"
down_revision = None
