"""Where bakeoff keeps things on the user's disk."""

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """The folder for environments, models and references: `BAKEOFF_CACHE`, else the platform's own."""
    chosen = os.environ.get("BAKEOFF_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("bakeoff"))


def worker_home() -> Path:
    """HOME of every worker: frameworks that write to the home directory or keep caches there do it here."""
    home = cache_dir() / "home"
    home.mkdir(parents=True, exist_ok=True)
    return home
