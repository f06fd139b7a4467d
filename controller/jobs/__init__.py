"""Jobs on disk and the work of a lane: store, spool, states, passage table, ledger, worker."""
