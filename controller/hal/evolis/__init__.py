"""The Evolis family: codec, line, session (pure, over a pipe) and the driver that is a CardPrinter."""
