"""The files of systemd/ judged by systemd's own tools, on a staged root: no running service manager is needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.commands.chip import ROLE_GROUP

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "systemd"
UNIT = "print-station.service"
SYSTEM_UNITS = Path("/usr/lib/systemd/system")
THRESHOLD = 20  # systemd-analyze's exposure level times ten


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A root with our files where the package will put them, a stub of the daemon and a copy of the system's units."""
    shutil.copytree(SYSTEM_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for name, place in (
        (UNIT, f"usr/lib/systemd/system/{UNIT}"),
        ("print-station.sysusers", "usr/lib/sysusers.d/print-station.conf"),
        ("print-station.tmpfiles", "usr/lib/tmpfiles.d/print-station.conf"),
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SOURCE / name, tmp_path / place)
    for executable in ("usr/bin/print-station", "usr/sbin/pcscd"):
        (tmp_path / executable).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / executable).write_text("#!/bin/sh\n")
        (tmp_path / executable).chmod(0o755)
    return tmp_path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def verify(stage: Path) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "verify", "--man=no", f"--root={stage}", f"/usr/lib/systemd/system/{UNIT}")


def security(stage: Path) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager", f"--root={stage}", UNIT)


def change(stage: Path, line: str, into: str) -> None:
    unit = stage / "usr/lib/systemd/system" / UNIT
    text = unit.read_text()
    assert line in text
    unit.write_text(text.replace(line, into))


def test_systemd_finds_nothing_to_complain_about_in_the_unit(stage: Path) -> None:
    result = verify(stage)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def add_key_holder(stage: Path) -> Path:
    drop_in = stage / f"etc/systemd/system/{UNIT}.d/key-holder.conf"
    drop_in.parent.mkdir(parents=True)
    shutil.copyfile(SOURCE / "key-holder.conf", drop_in)
    return drop_in


def test_systemd_finds_nothing_to_complain_about_in_the_drop_in_of_a_key_holder(stage: Path) -> None:
    add_key_holder(stage)
    result = verify(stage)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
    assert security(stage).returncode == 0


def test_verify_would_notice_a_mistake_in_the_drop_in(stage: Path) -> None:
    drop_in = add_key_holder(stage)
    drop_in.write_text(drop_in.read_text().replace("LoadCredential=", "LoadCredentials="))
    assert "LoadCredentials" in verify(stage).stderr


def test_verify_would_notice_a_misspelt_setting(stage: Path) -> None:
    change(stage, "KillMode=mixed", "KilMode=mixed")
    assert "KilMode" in verify(stage).stderr


def test_verify_would_notice_a_missing_program(stage: Path) -> None:
    (stage / "usr/bin/print-station").unlink()
    result = verify(stage)
    assert result.returncode != 0
    assert "print-station" in result.stderr


def test_the_unit_is_as_closed_as_promised(stage: Path) -> None:
    result = security(stage)
    assert result.returncode == 0, result.stdout


def test_security_would_notice_an_opened_unit(stage: Path) -> None:
    change(stage, "CapabilityBoundingSet=", "#")
    assert security(stage).returncode != 0


@pytest.mark.parametrize(
    "line",
    ["Type=notify", "WatchdogSec=30", "TimeoutStopSec=300", "RestartPreventExitStatus=74", "Environment=LG_WD=%t/print-station"],
)
def test_the_unit_keeps_what_the_daemon_relies_on(line: str) -> None:
    assert line in (SOURCE / UNIT).read_text().splitlines()


def test_the_unit_leaves_proc_readable_for_gpiozero() -> None:
    assert not re.search(r"^ProcSubset=", (SOURCE / UNIT).read_text(), re.MULTILINE)


def test_the_units_user_and_groups_come_into_being(stage: Path) -> None:
    (stage / "etc").mkdir()
    result = run("systemd-sysusers", f"--root={stage}", "print-station.conf")
    assert result.returncode == 0, result.stderr
    assert "print-station:x:" in (stage / "etc/passwd").read_text()
    groups = (stage / "etc/group").read_text()
    assert "gpio:x:" in groups
    assert re.search(rf"^{ROLE_GROUP}:x:\d+:$", groups, re.MULTILINE)  # empty: the head of the office names its people


def test_readers_are_open_to_the_daemon_and_the_counter_only() -> None:
    rule = (SOURCE / "50-print-station-pcsc.rules").read_text()
    asked = set(re.findall(r'action\.id == "([^"]+)"', rule))
    assert asked == {"org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"}
    assert re.findall(r'subject\.(\w+)(?: == |\()"([^"]+)"', rule) == [("user", "print-station"), ("isInGroup", ROLE_GROUP)]
    assert rule.count("return polkit.Result.YES") == rule.count("return ") == 1


def test_the_pin_comes_as_the_credential_that_the_guide_names() -> None:
    (loaded,) = re.findall(r"^LoadCredential=([^:\n]+):", (SOURCE / "key-holder.conf").read_text(), re.MULTILINE)
    guide = (ROOT / "docs" / "key-holder.md").read_text()
    assert f'pin_credential = "{loaded}"' in guide
    assert f"LoadCredential={loaded}:/etc/print-station/key-holder.pin" in guide


def test_the_configuration_is_for_the_daemon_and_root_only(stage: Path) -> None:
    config = stage / "etc/print-station/station.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    # A namespace of an unprivileged user knows one group only: its own stands for the daemon's.
    (stage / "etc/group").write_text(f"print-station:x:{os.getgid()}:\n")
    result = run("systemd-tmpfiles", f"--root={stage}", "--create", "print-station.conf")
    assert result.returncode == 0, result.stderr
    assert [path.stat().st_mode & 0o777 for path in (config.parent, config)] == [0o750, 0o640]
