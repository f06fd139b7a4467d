"""The printer of the kill test, as a CUPS backend (man 7 backend): a print takes a while and half-way the ink is on the card.

Started by `private_cupsd` with a folder and the seconds of a print before CUPS's own arguments (job, user, title, copies,
options, file). Writes the title to FOLDER/printing, and half-way, durably, to FOLDER/prints. Ends with the cupsd that started it,
as everything ends in a power cut. Standard library only.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main(folder: Path, print_s: float, title: str) -> int:
    """Print one job; returns the exit code."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int((folder / "pid").read_text()):
        return 1  # cupsd died before the line above
    (folder / "printing").write_text(title)
    time.sleep(print_s / 2)
    prints = os.open(folder / "prints", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(prints, f"{title}\n".encode())
    os.fsync(prints)
    time.sleep(print_s / 2)
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(Path(arguments[0]), float(arguments[1]), arguments[4]))
