"""Pure: APDUs, status words, chip profiles and personalisation scripts. Nothing here does I/O."""
