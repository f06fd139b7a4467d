"""print-station verify-log FILE"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from controller import verify_log


def configure(parser: argparse.ArgumentParser) -> None:
    """Options: those of the stand-alone verifier."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an export, or the station's database")
    parser.add_argument(
        "--anchor", default="", metavar="SEQ:HASH", help="a head of the log that was noted before: proves truncation"
    )
    parser.add_argument("--key", default="", metavar="HEX", help="the station's public key, noted before")


def run(arguments: argparse.Namespace) -> NoReturn:
    """Print the findings and a summary, and end with the verifier's exit code (see controller/verify_log.py)."""
    verify_log.verify(arguments.file, arguments.anchor, arguments.key)
