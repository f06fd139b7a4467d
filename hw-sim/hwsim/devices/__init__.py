"""Device physics. Wires translate bytes; nothing here opens a socket."""
