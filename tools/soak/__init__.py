"""`make soak`: 100,000 cards on virtual time with random faults. `__main__` says what is promised."""
