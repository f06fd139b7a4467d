"""Sensors, buttons and lamps on GPIO."""
