"""What the guest is made of: QEMU, a kernel with a few modules, and a small Debian, all from apt packages and never installed.

Packages are downloaded and unpacked below ``build/vm-usb`` without root, with the machine's own apt sources; what was unpacked
is kept. Nothing of a package is run on this machine but QEMU itself.
"""

from __future__ import annotations

import lzma
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.vm_usb.apt import Apt, Skipped

QEMU = "qemu-system-x86_64"
KERNEL = "linux-image-amd64"  # depends on the package that has one, whose name has its version in it
GUEST_PACKAGES = ("python3", "python3-usb", "usbutils", "usbip", "udev", "busybox-static", "libc-bin")
MODULES = ("e1000", "vhci-hcd", "usblp")  # with all they depend on
_TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "tar")
_MERGED = ("bin", "sbin", "lib", "lib64")  # symbolic links into /usr
_USELESS = ("doc", "man", "locale", "info", "zoneinfo")  # of /usr/share
_FIRMWARE = ("qemu", "seabios", "ipxe/qemu", "ipxe")  # of /usr/share
_STAMP = ".packages"  # what was unpacked: one file name a line


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts lie."""

    qemu: tuple[str, ...]  # the command's beginning
    qemu_libraries: Path | None  # of an unpacked QEMU; None for one that is installed
    kernel: Path
    modules: tuple[Path, ...]  # in the order they are loaded
    root: Path  # the guest's file system
    versions: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The environment QEMU runs in."""
        return {} if self.qemu_libraries is None else {"LD_LIBRARY_PATH": str(self.qemu_libraries.absolute())}


def gather(folder: Path) -> Parts:
    """Everything, from `folder` or downloaded. Raises Skipped."""
    if platform.machine() != "x86_64":
        raise Skipped(f"this recipe is for x86_64, this machine is {platform.machine()}")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise Skipped(f"{', '.join(missing)} cannot be found: this needs Debian")
    folder.mkdir(parents=True, exist_ok=True)
    apt = Apt(folder)
    qemu, libraries = _qemu(apt, folder)
    root = _unpacked(apt, folder / "guest", GUEST_PACKAGES)
    kernel, modules = _kernel(apt, folder / "kernel")
    versions = {name: _version(root, name) for name in ("usbip", "libusb-1.0-0", "python3-usb", "usbutils")}
    parts = Parts(qemu, libraries, kernel, modules, root, versions)
    versions |= {"linux": kernel.name.removeprefix("vmlinuz-"), "qemu": _qemu_version(parts)}
    return parts


def _qemu(apt: Apt, folder: Path) -> tuple[tuple[str, ...], Path | None]:
    """The machine's own, or an unpacked one with those of its libraries that this machine lacks."""
    installed = shutil.which(QEMU)
    if installed is not None:
        return (installed,), None
    root = _unpacked(apt, folder / "qemu", ("qemu-system-x86",), lacking=True)
    data = (root / "usr/share" / name for name in _FIRMWARE)
    search = (word for path in data if path.is_dir() for word in ("-L", str(path)))
    return (str(root / "usr/bin" / QEMU), *search), root / "usr/lib/x86_64-linux-gnu"


def _unpacked(apt: Apt, root: Path, packages: Sequence[str], *, lacking: bool = False) -> Path:
    """The files of the packages and of all they depend on, or of those that this machine lacks. Made once."""
    wanted = f"# {' '.join(packages)}\n"
    stamp = root / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8").startswith(wanted):
        return root
    debs = root.with_name(f"{root.name}-debs")
    apt.download_with_dependencies(packages, debs, lacking=lacking)
    names = _unpack(debs, root)
    for useless in _USELESS:
        shutil.rmtree(root / "usr/share" / useless, ignore_errors=True)
    stamp.write_text(wanted + "".join(f"{name}\n" for name in names), encoding="utf-8")
    return root


def _unpack(debs: Path, root: Path) -> list[str]:
    """Make `root` from the packages in `debs`, which go away; returns their file names."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "usr").mkdir(parents=True)
    for name in _MERGED:
        (root / "usr" / name).mkdir()
        (root / name).symlink_to(f"usr/{name}")
    found = sorted(debs.glob("*.deb"))
    for deb in found:
        files = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], capture_output=True, check=True).stdout
        command = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", str(root)]
        subprocess.run(command, input=files, check=True)
    shutil.rmtree(debs)
    return [deb.name for deb in found]


def _version(root: Path, package: str) -> str:
    found = re.search(rf"^{re.escape(package)}_([^_]+)_", (root / _STAMP).read_text(encoding="utf-8"), re.MULTILINE)
    return "?" if found is None else found[1].replace("%3a", ":")


def _qemu_version(parts: Parts) -> str:
    done = subprocess.run([parts.qemu[0], "--version"], capture_output=True, text=True, env=parts.environment, check=False)
    found = re.search(r"version (\S+)", done.stdout)
    if found is None:
        raise Skipped(f"{parts.qemu[0]} does not run: {done.stderr.strip()[:200]}")
    return found[1]


# The kernel


def _kernel(apt: Apt, folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """The kernel's file and its modules in their order, kept in `folder` without the hundreds of MB beside them."""
    order = folder / "order"
    if not order.exists():
        root = folder.with_name("kernel-unpacked")
        apt.download(apt.dependency_of(KERNEL), root.with_name("kernel-debs"))
        _unpack(root.with_name("kernel-debs"), root)
        _keep(root, folder)
        shutil.rmtree(root)
    names = order.read_text(encoding="utf-8").split()
    return next(folder.glob("vmlinuz-*")), tuple(folder / name for name in names)


def _keep(root: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    kernel = next((root / "boot").glob("vmlinuz-*"))
    shutil.copyfile(kernel, folder / kernel.name)
    files = {_module_name(path.name): path for path in root.glob("usr/lib/modules/*/kernel/**/*.ko*")}
    needed = {name: _module_bytes(files[name]) for name in with_dependencies(files)}
    for name, content in needed.items():
        (folder / f"{name}.ko").write_bytes(content)
    (folder / "order").write_text("".join(f"{name}.ko\n" for name in needed), encoding="utf-8")


def with_dependencies(files: dict[str, Path]) -> Iterator[str]:
    """The modules, those they need first. The package has no modules.dep, but each module names its own needs."""
    given: set[str] = set()
    todo = [_module_name(name) for name in reversed(MODULES)]
    while todo:
        needs = [need for need in _needs(files[todo[-1]]) if need in files and need not in given]
        if needs:
            todo += needs
            continue
        name = todo.pop()
        if name not in given:
            given.add(name)
            yield name


def _module_name(text: str) -> str:
    return text.split(".")[0].replace("-", "_")


def _needs(module: Path) -> list[str]:
    found = re.search(rb"\0depends=([^\0]*)\0", _module_bytes(module))
    return [] if found is None else [_module_name(name) for name in found[1].decode().split(",") if name]


def _module_bytes(module: Path) -> bytes:
    raw = module.read_bytes()
    if module.suffix == ".ko":
        return raw
    if module.suffix == ".xz":
        return lzma.decompress(raw)
    raise Skipped(f"the kernel's modules are packed as {module.suffix}, which is not known here")
