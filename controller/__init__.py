"""The print station: one record in, one good card out, every blank accounted for."""

__version__ = "0.1.0"
