"""The database: tables, revisions, queries, and the run's ledger."""
