"""A SoftHSM2 token with the synthetic masters, for measurements: what a station with `[key_holder] kind = "pkcs11"` asks."""

from __future__ import annotations

import os
import subprocess
from operator import methodcaller
from pathlib import Path

from controller.config_tables import TokenTable
from controller.hal.chip.pkcs11_sam import MASTERS
from controller.key_holder import token_link
from hwsim.devices.chip_keys import load_masters

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
LABEL, PIN = "bench", "482913"


def make_token(folder: Path) -> TokenTable:
    """Make one in an empty folder; SoftHSM finds it through this process's environment from then on."""
    tokens, config, pin = folder / "tokens", folder / "softhsm2.conf", folder / "pin"
    tokens.mkdir(parents=True)
    config.write_text(f"directories.tokendir = {tokens.resolve()}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o400)
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    table = TokenTable(kind="pkcs11", module=MODULE, token=LABEL, pin_file=pin.resolve())
    _put_masters(table)
    return table


def _put_masters(table: TokenTable) -> None:
    masters, link = load_masters(), token_link(table)
    values = {"icao": masters.ektp, "scp03": masters.scp03}
    try:
        for needs, (label, kind) in MASTERS.items():
            link.run(methodcaller("take_synthetic", label, kind, values[needs]), write=True)
    finally:
        link.close()
