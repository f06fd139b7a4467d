"""The station's own signing key for its event log: Ed25519, 32 raw bytes in `state_dir/log-key`, for the station's eyes only.

The key is on disk before the genesis row that names it is committed, and is never made anew over a log that exists: a log whose
key is gone needs a person. It protects against everybody who has not read the station's disk; for the others there are anchors.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.jobs.spool import sync_folder, write_synced
from controller.jobs.storage_faults import broken
from controller.model import LogHead

FILE = "log-key"
_SEED_BYTES = 32  # RFC 8032


class LogKey:
    """The key pair of one station's log."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw().hex()  # 64 lower-case hex digits

    def sign(self, station: str, head: LogHead) -> str:
        """The checkpoint's signature, in base64: `station` vouches for every row up to and including `head`."""
        return b64encode(self._private.sign(checkpoint_message(station, head))).decode()


def checkpoint_message(station: str, head: LogHead) -> bytes:
    """What a checkpoint signs."""
    return f"print-station checkpoint 1\n{station}\n{head.seq}\n{head.hash}".encode()


def open_key(state_dir: Path, public: str | None) -> LogKey:
    """The key of the log whose genesis row names `public`; a new key, or one that no log has used yet, when there is no log.

    Raises StoreBroken when the file is missing, not a key, or the key of another log, OSError.
    """
    path = state_dir / FILE
    try:
        seed = _read(path)
    except FileNotFoundError:
        if public is not None:
            raise broken("log_key_missing", state_dir, FILE) from None
        seed = _make(path)
    if len(seed) != _SEED_BYTES:
        raise broken("log_key_wrong", state_dir, FILE, f"is not a key: a key has {_SEED_BYTES} bytes")
    key = LogKey(seed)
    if public is not None and key.public != public:
        raise broken("log_key_wrong", state_dir, FILE, "is not the key of the event log in station.db")
    return key


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SEED_BYTES + 1)


def _make(path: Path) -> bytes:
    seed = os.urandom(_SEED_BYTES)
    temp = path.with_name(f".{path.name}.tmp")
    write_synced(temp, seed)  # mode 0600
    temp.replace(path)
    sync_folder(path.parent)
    return seed
