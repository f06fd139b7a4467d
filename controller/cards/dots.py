"""The dots of one panel, upright, as every module here that draws or packs knows them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Dots: TypeAlias = NDArray[np.uint8]  # [y, x] of the upright landscape picture; 0 = no dye, levels - 1 = full dye
