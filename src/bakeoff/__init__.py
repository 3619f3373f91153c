"""bakeoff: which deep-learning framework runs my network fastest on this CPU, and is its answer right?

For programs and notebooks: `race` networks, `tune` one, open a `stored` run, `compare` two, `load` one as a data frame.
Each is what the command of that name does; `bakeoff.api` has them, and is imported when one is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakeoff.api import Comparison, Run, Tuning, compare, load, race, stored, tune
    from bakeoff.errors import (
        BakeoffError,
        EngineFolderError,
        EnvironmentUnavailableError,
        ModelError,
        NotFitError,
        StoreError,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "BakeoffError",
    "Comparison",
    "EngineFolderError",
    "EnvironmentUnavailableError",
    "ModelError",
    "NotFitError",
    "Run",
    "StoreError",
    "Tuning",
    "UsageError",
    "__version__",
    "compare",
    "load",
    "race",
    "stored",
    "tune",
]

# The package `bakeoff.race` binds its own name here when it is first imported. Let it do so now, while it is an empty
# package that costs nothing, so that from here on `bakeoff.race` is the function.
importlib.import_module("bakeoff.race")
del globals()["race"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: `import bakeoff` alone stays cheap."""
    if name in __all__:
        home = "bakeoff.errors" if name.endswith("Error") else "bakeoff.api"
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
