"""The Magicard family: jobs, status, line, session (pure, over a pipe) and the driver that is a CardPrinter."""
