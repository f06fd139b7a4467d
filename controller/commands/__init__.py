"""One module per verb of `print-station`: `configure(parser)` and `run(arguments) -> exit code`."""
