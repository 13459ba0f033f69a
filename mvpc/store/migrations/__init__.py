"""Migrations of the database, carried out by `mvpc.store.database`."""
