"""The embedded engine: SQLite through apsw, one file, one writer."""
