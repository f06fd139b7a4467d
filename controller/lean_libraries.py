"""What the daemon spares itself of its libraries: 1.6 MiB of memory, and time at its start.

A package's `__init__` imports what others want of it: uvicorn's its command line (click, multiprocessing), pyscard's its layer of
objects. Put in place before, as a package whose `__init__` was not run, it imports only what it is asked for. Every import in
`controller` therefore names the module that has the thing, and works either way.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


def prepare() -> None:
    """To be called before anything imports them; a package that was imported already stays as it is."""
    _lean("smartcard")
    uvicorn = _lean("uvicorn")
    if uvicorn is not None:
        vars(uvicorn)["Config"] = importlib.import_module("uvicorn.config").Config  # uvicorn.lifespan looks for it there


def _lean(name: str) -> ModuleType | None:
    """The package, not run; None when it was imported already, or is not installed."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        return None
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    return package
