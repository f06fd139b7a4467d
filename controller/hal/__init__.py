"""Hardware: ports for the layers above, pure codecs and sessions, four links, drivers. Knows nothing of jobs."""
