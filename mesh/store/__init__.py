"""Decides. Versioned objects on SQLite: compare-and-swap, list, and an event log to watch from."""
