"""The history: everything seen and computed, in one SQLite file that any SQL tool can read. SQL lives only here."""
