"""The simulated station hardware: printers, chips, pins and display on real wires, and a world that knows the truth."""
