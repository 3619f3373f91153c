"""Runs and trials, in and out of a database: SQLite in the output folder.

Each trial is on disk the moment its heat ends, so a run killed half-way is worth what it measured.
"""

from bakeoff.store.database import FILE_NAME, Store

__all__ = ["FILE_NAME", "Store"]
