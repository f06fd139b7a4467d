"""The HTTP interface: server, guard, routes. What it answers comes from the snapshot and the store."""
