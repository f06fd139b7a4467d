"""pyscard's C binding `scard`, imported here alone, and what every link to a PC/SC slot needs of it.

SWIG 4.3.0, with which Debian 13 builds pyscard, takes its table of types apart when the interpreter ends, after parts of it are
gone, and crashes there. A table that is never let go of is never taken apart.
"""

from __future__ import annotations

import ctypes
import sys

from smartcard import scard

__all__ = ["ANY_PROTOCOL", "HEADERS", "scard"]

ANY_PROTOCOL = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1  # never RAW: pcscd would pick it, and no T=1 command go through
HEADERS = {scard.SCARD_PROTOCOL_T0: scard.SCARD_PCI_T0, scard.SCARD_PROTOCOL_T1: scard.SCARD_PCI_T1}


def _keep_tables() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("swig_runtime_data"):
            for part in vars(module).values():
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(part))


_keep_tables()
