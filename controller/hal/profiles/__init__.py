"""Printer profiles: the data of firmware_profiles/printers/, checked. Pure."""
