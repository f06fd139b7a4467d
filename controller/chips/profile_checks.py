"""What the tables of a chip profile must have in common: each mistake with its place, in Indonesian and English. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.chips.profile_tables import ChannelTable, Do, FileRow, Keys, Phase, Reading, Step, Writing

Mistake = tuple[str, str, str]  # place, Indonesian, English

SIGNATURE_BYTES = 72  # the longest ECDSA P-256 signature in DER
PARTS = ("channel", "select", "read", "files", "invented", "keys", "steps")


def block_mistakes(channel: ChannelTable, reading: Reading, writing: Writing) -> Iterator[Mistake]:
    """Blocks that no short command holds under this channel."""
    command_bytes, answer_bytes = channel.most_bytes
    for place, size, most in (("invented.block_bytes", writing.block_bytes, command_bytes),
                              ("read.block_bytes", reading.block_bytes, answer_bytes)):  # fmt: skip
        if size > most:
            yield place, f"{size}; saluran ini memuat {most}", f"{size}; this channel holds {most}"


def channel_mistakes(channel: ChannelTable, files: Sequence[FileRow], steps: Sequence[Step]) -> Iterator[Mistake]:
    """The channel against the steps that open it."""
    asked = sum(row.do is Do.AUTHENTICATE for row in steps)
    if asked != (channel.kind != "none"):
        yield ("steps", f"saluran '{channel.kind}' dengan {asked} langkah 'authenticate'",
               f"channel '{channel.kind}' and {asked} steps 'authenticate'")  # fmt: skip
    free = {row.fid for row in files if row.read == "free"}
    if (channel.card_control is not None) != (channel.kind == "icao") or channel.card_control not in {None, *free}:
        yield ("channel.card_control", "hanya untuk 'icao', dan menunjuk berkas yang bebas dibaca",
               "is for 'icao', and names a file that is free to read")  # fmt: skip


def key_mistakes(channel: ChannelTable, keys: Keys | None, steps: Sequence[Step]) -> Iterator[Mistake]:
    """PUT KEY against the rest."""
    if (keys is not None) != any(row.do is Do.KEYS for row in steps):
        yield "keys", "[keys] dan langkah 'keys' harus ada bersama", "[keys] and a step 'keys' belong together"
    if keys is not None and channel.kind != "scp03":
        yield "keys", "hanya untuk 'scp03'", "is for 'scp03'"


def lock_mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    """A lock may be repeated after a crash, and is worth something only when it is proven."""
    lock = [row for row in steps if row.phase is Phase.LOCK]
    if not lock:
        return
    if lock[0].do is not Do.STOP_IF:
        yield ("steps", "fase 'lock' harus dimulai dengan 'stop if': setelah listrik padam fase itu diulang",
               "phase 'lock' must begin with 'stop if': after a power cut it is done again")  # fmt: skip
    if not any(row.phase is Phase.VERIFY and row.do is Do.REQUIRE for row in steps):
        yield ("steps", "ada fase 'lock', tetapi tidak ada 'require' dalam 'verify' yang membuktikannya",
               "there is a phase 'lock', and no 'require' in 'verify' that proves it")  # fmt: skip


def signature_mistakes(writing: Writing, files: Sequence[FileRow]) -> Iterator[Mistake]:
    """The file of the centre's signature."""
    if writing.signature is None:
        return
    row = next((row for row in files if row.fid == writing.signature and row.personalised), None)
    if row is None:
        yield "invented.signature", "bukan berkas yang ditulis", "is no personalised file"
    elif row.max_bytes < SIGNATURE_BYTES:
        yield ("invented.signature", f"berkasnya memuat {row.max_bytes} byte; tanda tangan perlu {SIGNATURE_BYTES}",
               f"its file holds {row.max_bytes} bytes; a signature takes up to {SIGNATURE_BYTES}")  # fmt: skip


def confidence_mistakes(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Each part of the file has a row that says how sure it is, and each row names a part, or a key of one."""
    parts, rows = [part for part in PARTS if part in table], table.get("confidence")
    if not isinstance(rows, Mapping):
        return  # said already
    for part in parts:
        if part not in rows:
            yield (part, "tidak ada baris [confidence] untuk bagian ini",
                   "has no row in [confidence]: say how sure it is, and by whom")  # fmt: skip
    for row in rows:
        part, dot, key = str(row).partition(".")
        inside = table.get(part)
        if part not in parts or (dot and not (isinstance(inside, Mapping) and key in inside)):
            yield f"confidence.{row}", "tidak menunjuk apa pun", "names no part of the profile"
