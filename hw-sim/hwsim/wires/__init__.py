"""The wires between the simulated devices and an unmodified station: USB/IP, vpcd, pigpiod and a pty.

A wire turns bytes into calls and calls into bytes. It knows no physics, holds no ground truth, and runs entirely in the
event loop it was started in.
"""
