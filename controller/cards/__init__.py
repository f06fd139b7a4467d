"""The card's face: a layout as data plus a record become packed panels of dots, drawn in a guarded child process."""
