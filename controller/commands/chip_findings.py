"""What `print-station chip` says of a card: one sentence and one action each, Indonesian first, and an exit code.

0  good: the card is complete; wipe-test: the reader works    3  the chip answered or is known, and it is not good
1  nothing was found out: nothing answered, or reader, key    4  empty: good as a blank; a printed card with such a chip
   holder, books or configuration are not as they must be        must not be handed over
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from controller.conditions import CONDITIONS
from controller.errors import CardWrong, DeviceError
from controller.model import ChipFile

GOOD, NOTHING, BAD, EMPTY = 0, 1, 3, 4  # exit codes; 2 is wrong usage

_WORDS = {GOOD: ("BAIK", "GOOD"), NOTHING: ("TIDAK DIPERIKSA", "NOT CHECKED"), BAD: ("TIDAK BAIK", "NOT GOOD"),
          EMPTY: ("KOSONG", "EMPTY")}  # fmt: skip
HELD_ID = (
    "pembaca atau SAM dipakai program lain, biasanya stasiun yang bekerja; hentikan dahulu (systemctl stop print-station), "
    "atau pakai pembaca lain."
)
HELD_EN = (
    "another program holds the reader or its SAM, mostly the running station; stop it first (systemctl stop print-station), "
    "or use another reader."
)
_REJECT_ID, _REJECT_EN = "jangan serahkan, masukkan ke kotak tolak", "do not hand it over, put it into the reject box"
_AGAIN_ID, _AGAIN_EN = f"ulangi sekali; tetap begitu: {_REJECT_ID}", f"try once more; if it stays so, {_REJECT_EN}"

# code: exit code, Indonesian, English
_ROWS: dict[str, tuple[int, str, str]] = {
    "complete": (GOOD, "chip lengkap dan terkunci{}; kartu boleh diserahkan bila cetakannya juga baik.",
                 "the chip is complete and closed{}; the card may be handed over when its print is good too."),
    "empty": (EMPTY, "belum ada isi di chip: baik sebagai blangko; bila kartu ini sudah dicetak, jangan serahkan.",
              "nothing is on the chip: good as a blank; when this card is printed, do not hand it over."),
    "works": (GOOD, "pembaca ini menulis dan membaca dengan benar ({}); blangkonya kosong lagi, kembalikan ke tumpukan.",
              "this reader writes and reads as it must ({}); the blank is empty again, put it back to the others."),
    # not good
    "strange": (BAD, f"chip ini bukan blangko kantor ini, atau rusak; {_AGAIN_ID}.",
                f"this chip is none of this office's, or broken; {_AGAIN_EN}."),
    "unfinished": (BAD, f"penulisan chip tidak selesai, atau chip belum terkunci; {_AGAIN_ID}.",
                   f"writing the chip was not finished, or the chip is not closed; {_AGAIN_EN}."),
    "closed_empty": (BAD, f"chip ini terkunci tanpa isi; {_REJECT_ID}.", f"this chip is closed and holds nothing; {_REJECT_EN}."),
    "unsigned": (BAD, "isi chip bukan yang ditandatangani pusat; jangan serahkan, simpan kartu ini dan lapor atasan.",
                 "the chip does not hold what the centre signed; do not hand it over, keep the card and tell your superior."),
    "spoiled": (BAD, f"kartu ini tercatat gagal; {_REJECT_ID}.", f"the station recorded this card as spoiled; {_REJECT_EN}."),
    "open": (BAD, "nasib kartu ini belum diputuskan; letakkan di pembaca meja saat stasiun bertanya, jangan serahkan.",
             "it is not settled what became of this card; lay it on the desk reader when the station asks, do not hand it over."),
    "destroyed": (BAD, "kartu ini tercatat sudah dimusnahkan; jangan serahkan, simpan dan lapor atasan.",
                  "this card is recorded as destroyed; do not hand it over, keep it and tell your superior."),
    "not_blank": (BAD, "kartu ini bukan blangko kosong; tidak ada yang ditulis, ambil blangko dari tumpukan.",
                  "this card is no empty blank; nothing was written, take a blank from the stack."),
    "writes_wrong": (BAD, "yang terbaca bukan yang ditulis; masukkan blangko ini ke kotak tolak, ulangi dengan yang lain.",
                     "what was read is not what was written; put this blank into the reject box, try another one."),
    "not_emptied": (BAD, "pembaca ini menulis dan membaca dengan benar ({}), tetapi blangkonya tidak kosong lagi.",
                    "this reader writes and reads as it must ({}), but the blank is not empty again."),
    "no_write": (BAD, "blangko ini menolak ditulis; masukkan ke kotak tolak, ulangi dengan yang lain.",
                 "this blank refused to be written; put it into the reject box, try another one."),
    # not found out
    "silent": (NOTHING, "tidak ada chip yang menjawab; letakkan satu kartu rata di pembaca dan ulangi. Tetap diam: chipnya mati, "
               "jangan serahkan.",
               "no chip answered; lay one card flat on the reader and try again. Still silent: its chip is dead, do not hand it "
               "over."),
    "lost": (NOTHING, "kartu berhenti menjawab; letakkan lagi, jangan digerakkan, dan ulangi.",
             "the card stopped answering; lay it down again, do not move it, and try again."),
    "swapped": (NOTHING, "kartu lain menjawab di tengah pemeriksaan; letakkan satu kartu saja dan ulangi.",
                "another card answered in the middle; lay down one card alone and try again."),
    "held": (NOTHING, HELD_ID, HELD_EN),
    "stopped": (NOTHING, "dihentikan.", "stopped."),
    "no_books": (NOTHING, "catatan stasiun tidak terbaca; tidak ada yang ditulis, jalankan sebagai pengguna print-station.",
                 "the station's books cannot be read; nothing was written, run this as the user print-station."),
    "device": (NOTHING, "{}", "{}"),  # what the table of conditions says
}  # fmt: skip

# What may stand beside a finding.
REMARKS: dict[str, tuple[str, str]] = {
    "emptied": ("Blangkonya kosong lagi.", "The blank is empty again."),
    "left": ("Pola uji mungkin masih di chip: letakkan blangko ini lagi dan ulangi wipe-test; bila gagal, masukkan ke kotak "
             "tolak.",
             "The test's pattern may still be on the chip: lay this blank down again and repeat wipe-test; if that fails, put it "
             "into the reject box."),
    "not_in_books": ("Hanya chip yang diperiksa: catatan stasiun tidak terbaca di sini.",
                     "Only the chip was looked at: the station's books cannot be read here."),
    "unlisted": ("Chip ini tidak ada dalam batch mana pun; cari tahu asalnya.",
                 "No batch lists this chip; find out where it came from."),
    "all_strange": ("Bila setiap kartu dijawab begini, SAM atau kuncinya yang salah: panggil teknisi.",
                    "When every card gets this answer, the SAM or its keys are wrong: call the technician."),
}  # fmt: skip

_HELD = {"reader_busy", "sam_busy"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one command."""

    code: str  # a row of the table
    uid: str | None = None
    words: tuple[str, str] = ("", "")  # what the row leaves open
    condition: str | None = None  # of controller.conditions, and the device's own words: for the technician
    detail: str = ""
    remarks: tuple[str, ...] = ()
    files: tuple[ChipFile, ...] = ()  # shown are their sizes; digests only where the owner may be told
    owner: tuple[str, str] | None = None  # NIK and name, when they were asked for and may be told

    @property
    def exit_code(self) -> int:
        """See above."""
        return _ROWS[self.code][0]

    @property
    def sentences(self) -> tuple[str, str]:
        """Indonesian, English."""
        _, indonesian, english = _ROWS[self.code]
        return indonesian.format(self.words[0]), english.format(self.words[1])


def trouble(error: DeviceError | CardWrong, uid: str | None, refused: str) -> Finding:
    """What an error means. `refused`: the row for a chip that said no, which depends on how far the command had come."""
    codes = {"chip_refused": refused, "chip_silent": "silent" if uid is None else "lost", "chip_differs": "unsigned",
             "chip_swapped": "swapped"}  # fmt: skip
    code = "held" if is_held(error) else codes.get(error.condition, "device")
    row = CONDITIONS[error.condition]
    remarks = ("all_strange",) if code == "strange" else ()
    return Finding(code, uid, (row.id, row.en), error.condition, error.detail, remarks)


def is_held(error: DeviceError | CardWrong) -> bool:
    """Whether another program has the reader or the SAM's slot."""
    return error.condition in _HELD


def as_text(finding: Finding) -> list[str]:
    """Lines for people."""
    (word_id, word_en), (said_id, said_en) = _WORDS[finding.exit_code], finding.sentences
    lines = [] if finding.uid is None else [f"chip {finding.uid}"]
    lines += [f"{word_id}: {said_id}", f"    {word_en}: {said_en}"]
    for indonesian, english in (REMARKS[remark] for remark in finding.remarks):
        lines += [indonesian, f"    {english}"]
    if finding.condition is not None:
        lines.append(f"    [{finding.condition}: {finding.detail}]")
    lines += [f"  {file['file']}  {file['bytes']:5} bytes" + (f"  SHA-256 {file['sha256']}…" if "sha256" in file else "")
              for file in _files(finding)]  # fmt: skip
    return lines + ([] if finding.owner is None else [f"  {'  '.join(finding.owner)}"])


def as_json(finding: Finding) -> dict[str, Any]:
    """For programs; the codes are stable."""
    said_id, said_en = finding.sentences
    told: dict[str, Any] = {
        "finding": finding.code, "exit_code": finding.exit_code, "uid": finding.uid, "id": said_id, "en": said_en,
        "condition": finding.condition, "detail": finding.detail,
        "remarks": [{"code": code, "id": REMARKS[code][0], "en": REMARKS[code][1]} for code in finding.remarks],
        "files": _files(finding),
    }  # fmt: skip
    return told if finding.owner is None else {**told, "nik": finding.owner[0], "name": finding.owner[1]}


def _files(finding: Finding) -> list[dict[str, Any]]:
    """Sizes. With the owner also enough of a digest to tell two contents apart: who has residents' data knows a card by it."""
    sizes = [{"file": f"{file.fid:04X}", "bytes": len(file.content)} for file in finding.files]
    if finding.owner is None:
        return sizes
    return [{**row, "sha256": hashlib.sha256(file.content).hexdigest()[:16]}
            for row, file in zip(sizes, finding.files, strict=True)]  # fmt: skip
