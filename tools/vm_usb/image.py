"""The guest's initramfs: Debian's files, the kernel's modules, our code, the probe and its plan. There is no disk."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.vm_usb.apt import Skipped
from tools.vm_usb.cpio import Archive
from tools.vm_usb.parts import Parts

ROOT = Path(__file__).resolve().parents[2]
GUEST = Path(__file__).parent / "guest"
STATION = "station"  # where our code lies in the guest
OUR_CODE = ("controller", "firmware_profiles")
LIBRARIES = (
    "aiosqlite",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions.py",
    "typing_inspection",
)  # from build/venv
_NO_NEED = ("__pycache__", "test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo")


def build(parts: Parts, plan: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """The whole initramfs as one file. Raises Skipped when the guest's Python cannot use the libraries of build/venv."""
    _check_python(parts.root)
    image = folder / "initrd.cpio"
    with image.open("wb") as out:
        archive = Archive(out)
        _add_system(archive, parts)
        _add_ours(archive, plan)
        archive.end()
    return image


def _check_python(root: Path) -> None:
    ours = sysconfig.get_python_version()
    if not (root / "usr/bin" / f"python{ours}").exists():
        raise Skipped(f"the guest's Python is not {ours} as in build/venv; build that with PYTHON=/usr/bin/python3")


def _add_system(archive: Archive, parts: Parts) -> None:
    archive.add_tree(parts.root, skip=_NO_NEED)
    archive.add_console()
    archive.add_folder("modules")
    for module in parts.modules:
        archive.add(module, f"modules/{module.name}")
    archive.put("modules/order", 0o100644, "".join(f"{module.name}\n" for module in parts.modules).encode())


def _add_ours(archive: Archive, plan: Sequence[Mapping[str, Any]]) -> None:
    archive.add(GUEST / "init", "init")
    archive.add_folder(f"probe/{GUEST.relative_to(ROOT)}")
    archive.add_tree(GUEST, f"probe/{GUEST.relative_to(ROOT)}", skip=_NO_NEED)
    archive.put("probe/plan.json", 0o100644, json.dumps(plan).encode())
    for name in OUR_CODE:
        archive.add_folder(f"{STATION}/{name}")
        archive.add_tree(ROOT / name, f"{STATION}/{name}", skip=_NO_NEED)
    libraries = Path(sysconfig.get_path("purelib"))
    for name in LIBRARIES:
        archive.add(libraries / name, f"{STATION}/{name}")
        if (libraries / name).is_dir():
            archive.add_tree(libraries / name, f"{STATION}/{name}", skip=_NO_NEED)
