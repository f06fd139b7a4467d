"""A SoftHSM token for tests: a PKCS#11 library of Debian whose token is files in a folder of the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from controller.hal.chip.key_ring import KeyRing
from controller.hal.chip.pkcs11_link import TokenLink
from controller.hal.chip.pkcs11_sam import MASTERS, Needs
from controller.hal.chip.token_pin import PinSource

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
LABEL = "perso"
PIN = "482913"
_VARIABLE = "SOFTHSM2_CONF"  # the library reads it when it starts


class SoftToken:
    """One fresh token. `restore` puts the environment back."""

    def __init__(self, folder: Path, without: str = "") -> None:
        """Without master keys; its PIN lies beside it. `without`: a mechanism it shall not have."""
        self._tokens = folder / "tokens"
        self._tokens.mkdir()
        config = folder / "softhsm2.conf"
        kept = f"-NONE,{without}" if without else "ALL"  # SoftHSM 2.6.1 overlooks the first of those it shall leave out
        config.write_text(f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
                          f"slots.mechanisms = {kept}\n")  # fmt: skip
        self._before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = str(config)
        self.pin_file = folder / "pin"
        self.write_pin(PIN)
        self.add(LABEL)

    def add(self, label: str) -> None:
        """One more token."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)

    def write_pin(self, pin: str, mode: int = 0o400) -> None:
        """Another PIN in the file."""
        self.pin_file.unlink(missing_ok=True)
        self.pin_file.write_text(f"{pin}\n")
        self.pin_file.chmod(mode)

    def link(self, label: str = LABEL, module: Path = MODULE) -> TokenLink:
        """A link to it, not opened. One at a time: a process logs in once."""
        return TokenLink(module, label, PinSource(self.pin_file))

    def unplug(self) -> None:
        """Take it out."""
        self._tokens.rename(self._tokens.with_name("drawer"))
        self._tokens.mkdir()

    def plug_in(self) -> None:
        """Put it back."""
        self._tokens.rmdir()
        self._tokens.with_name("drawer").rename(self._tokens)

    def restore(self) -> None:
        """The environment as it was."""
        os.environ.pop(_VARIABLE)
        if self._before is not None:
            os.environ[_VARIABLE] = self._before


def fresh(tmp_path: Path) -> Iterator[SoftToken]:
    """For `pytest.fixture`: a token of the test's own."""
    token = SoftToken(tmp_path)
    yield token
    token.restore()


def put_masters(link: TokenLink, icao: bytes, scp03: bytes) -> None:
    """Give the token known masters."""
    values: dict[Needs, bytes] = {"icao": icao, "scp03": scp03}

    def work(ring: KeyRing) -> None:
        for needs, (label, kind) in MASTERS.items():
            ring.take_synthetic(label, kind, values[needs])

    link.run(work, write=True)
