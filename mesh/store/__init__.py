"""Decides. Versioned objects on SQLite: compare-and-swap, list, and an event log to watch from."""

from mesh.store.log import EventLog, StoreEvent, TooOld
from mesh.store.record import Record
from mesh.store.store import Store, StoreError, WrongVersion

__all__ = ["EventLog", "Record", "Store", "StoreError", "StoreEvent", "TooOld", "WrongVersion"]
