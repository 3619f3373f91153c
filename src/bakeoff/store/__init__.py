"""Runs and trials, in and out of a database: SQLite in the output folder, or a team's PostgreSQL.

Each trial is on disk the moment its heat ends, so a run killed half-way is worth what it measured. What a database
cannot take just then waits in the `Spool`.
"""

from bakeoff.store.database import Store
from bakeoff.store.lookup import check_tag
from bakeoff.store.opened import opened
from bakeoff.store.spool import Spool
from bakeoff.store.sqlite import FILE_NAME

__all__ = ["FILE_NAME", "Spool", "Store", "check_tag", "opened"]
