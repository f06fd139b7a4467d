"""Printers on USB: finding them, the pipe to one, its port status, traces; also over usbip. Knows no vendor's words."""
