"""What the two kinds of database have in common, as far as opening a store is concerned."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, Engine


@dataclass(frozen=True)
class Backend:
    """A database that may or may not hold a store yet."""

    engine: Engine
    """its transactions with the execution option `writes` are for writing from their first statement on"""
    where: str
    """the database, for people: no password in it"""
    elsewhere: str
    """what to do where this database will not do"""
    before_migrating: Callable[[Engine], None]
    """once, outside of any transaction"""
    shut_out_others: Callable[[Connection], None]
    """within a transaction that writes: no other process migrates until it ends"""
    claimed: Callable[[str], AbstractContextManager[bool]]
    """by a run's name: whether no other process has claimed it; it is ours through the block, or until we end"""
    read_only: bool = False
    as_it_is: Callable[[], Self] | None = None
    """the same database, to be read without a file beside it: None where that is never needed"""
