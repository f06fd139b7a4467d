"""Power cuts under the real store and spool: record what a process writes, build what a cut leaves of it, start on that."""
