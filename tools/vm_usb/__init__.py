"""The simulated printers on a real Linux kernel, in a QEMU guest. See `__main__`."""
