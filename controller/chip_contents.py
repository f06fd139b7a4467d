"""What a stored record brings for one lane's chips, judged before a blank is fed.

Size and signature were judged at the door, by the configuration of that day. Since then a technician may have removed a key from
[[chip_keys]] or put in another chip profile: the job is held then, and costs no blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.chips.transfer import MAX_STORE_BLOCKS, refuse_misfits
from controller.errors import DeviceRefused, Problem, RecordRefused
from controller.model import ChipFile
from controller.records.intake import chip_file_problems, load_stored
from controller.records.refusals import problem


def chip_contents(profile: ChipProfile, signature: ContentSignature | None, canonical: bytes) -> Sequence[ChipFile]:
    """The chip files of a stored record. Raises RecordRefused with what keeps such a chip from taking them."""
    files = load_stored(canonical).chip.files()
    problems = [*_misfits(profile, files), *not_signed(signature, files)]
    if problems:
        raise RecordRefused(problems)
    return files


def _misfits(profile: ChipProfile, files: Sequence[ChipFile]) -> list[Problem]:
    most = profile.max_bytes
    return [found for file in files for found in chip_file_problems(file.fid, file.content, most)] or [*_too_much(profile, files)]


def _too_much(profile: ChipProfile, files: Sequence[ChipFile]) -> Iterator[Problem]:
    """Each file fits, and together they take more blocks than one run holds: the driver's own judgement."""
    try:
        refuse_misfits(profile, files)
    except DeviceRefused:
        yield problem("chip.total", "chip", max=MAX_STORE_BLOCKS * profile.invented.block_bytes)


def not_signed(signature: ContentSignature | None, files: Sequence[ChipFile]) -> Iterator[Problem]:
    """Why contents do not carry the signature that they must; None: they need none."""
    if signature is not None and signature.wrong(files):
        yield problem("chip.signature", f"chip.{signature.fid:04X}")
