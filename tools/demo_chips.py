"""What `make demo` shows of the chips: they were written under the SAM's protection, are closed, and others see the same.

`watch` while the cards are made; `prove` once the station is stopped, because it keeps its readers and SAM cards for itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from controller.chips.profile import find_profile
from controller.chips.profile_tables import Do, Phase
from tools.pcscd import DESK_READER
from tools.rig import ROOT, Rig

PROFILE = find_profile(ROOT / "firmware_profiles" / "chips", "ektp")
CLOSED = next(step.value for step in PROFILE.phase(Phase.LOCK) if step.do is Do.STOP_IF)  # life cycle, in hex
_BEGIN, _PROTECT, _OPEN = "F1", "F3", "F4"  # what a SAM is asked (chip.md 1.2)
_FREE = next(row for row in PROFILE.files if row.read == "free" and row.personalised)
_PROTECTED = next(row for row in PROFILE.files if row.read == "channel")
_TOOL_S = 30.0


def watch(rig: Rig) -> None:
    """Let the simulator note which commands cross the wires from now on; names only, no data."""
    rig.exchanges(record=True)


def prove(rig: Rig, jobs: Sequence[Any], world: Any, lane: str) -> dict[str, Any]:
    """The figures. Puts one of the cards on the desk reader and takes it away again."""
    labels = rig.exchanges()[lane]["labels"]
    rig.exchanges(record=False)
    sam, chip = (Counter(label[:2] for label in labels[wire]) for wire in ("sam", "apdu"))
    uids = [job["passages"][-1]["chip_uid"] for job in jobs if job["job"]["state"] == "issued"]
    there = {blank["uid"]: blank["chip"] for blank in world["blanks"]}
    stages = [{stage["name"] for stage in job["passages"][-1]["stages"] if stage["outcome"] == "done"} for job in jobs]
    found = {
        "personalised": len(uids),
        "closed": sum(there[uid]["life"] == CLOSED for uid in uids),
        "read_back": sum("close" in done for done in stages),
        "sessions": sam[_BEGIN],
        "protected_commands": sam[_PROTECT],
        "opened_answers": sam[_OPEN],
        "commands": chip.total(),
        **(_on_the_desk(rig, uids[0]) if uids else {}),
    }
    return {"proved": proved(found), **found}


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield (f"chips: {found['personalised']} written through the simulated SAM: {found['sessions']} sessions, "
           f"{found['protected_commands']} of {found['commands']} commands under secure messaging")  # fmt: skip
    yield f"       {found['closed']} closed for good, {found['read_back']} read again in a new session and equal before printing"
    if "check" in found:
        yield f"       one on the desk reader, print-station chip check: {found['check'].partition(';')[0]}"
    if found.get("opensc") is not None:
        yield (f"       opensc-tool, which has no key: {_FREE.name} {_word(found['opensc']['free'])}, "
               f"{_PROTECTED.name} {_word(found['opensc']['protected'])}")  # fmt: skip
    elif "opensc" in found:
        yield "       no look with opensc-tool was taken: it is not installed (opensc)"


def proved(found: dict[str, Any]) -> bool:
    """Whether the figures show what the demo promises of chips."""
    cards = found["personalised"]
    told = found.get("opensc")
    return (
        cards > 0
        and cards == found["closed"] == found["read_back"]
        and found["sessions"] >= 2 * cards  # before the lock, and after it
        and found["protected_commands"] == found["opened_answers"]
        and str(found.get("check")).startswith("GOOD: ")
        and (told is None or (told["free"], told["protected"]) == ("9000", "6982"))
    )


def _on_the_desk(rig: Rig, uid: str) -> dict[str, Any]:
    """What two programs say of one card: ours with the desk's SAM, and one that nobody here wrote."""
    rig.put(uid, "desk")
    try:
        said = rig.command("chip", "check", "--config", rig.config)
        lines = [line.strip() for line in (said.stdout + said.stderr).splitlines()]
        return {
            "check": next((line for line in lines if re.match("[A-Z ]+: (the|this|a) ", line)), lines[-1]),
            "opensc": _opensc(),
        }
    finally:
        rig.take("desk")


def _opensc() -> dict[str, str] | None:
    """The status words that opensc-tool gets for a free and for a protected file; None where it is not installed."""
    if shutil.which("opensc-tool") is None:
        return None
    (opening,) = (step.command for step in PROFILE.phase(Phase.OPEN) if step.command is not None)
    sent = [opening.encode().hex()]
    for row in (_FREE, _PROTECTED):
        sent += [PROFILE.select_file(row.fid).encode().hex(), "00B0000002"]
    command = ["opensc-tool", "-r", DESK_READER, "-c", "default", *(word for apdu in sent for word in ("-s", apdu))]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TOOL_S).stdout
    words = ["".join(pair) for pair in re.findall(r"SW1=0x(..), SW2=0x(..)", said)]
    return {"free": words[2], "protected": words[4]} if len(words) == len(sent) else {"free": "-", "protected": "-"}


def _word(sw: str) -> str:
    return {"9000": "read", "6982": "refused (6982)"}.get(sw, f"answered {sw}")
