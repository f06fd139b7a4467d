"""What the Makefile runs: bootstrap, sandbox, demo. Nothing here is installed on a station."""
