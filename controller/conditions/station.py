"""What concerns the whole station: its buttons, its disk, its drawing machinery."""

from __future__ import annotations

from controller.conditions.row import CardInside, Clears, Severity, table

_W, _F = Severity.WAITS, Severity.FAULT
_SELF, _GO, _TECH = Clears.SELF, Clears.GO, Clears.TECHNICIAN
_OUT, _MAYBE = CardInside.NO, CardInside.PERHAPS

# fmt: off
STATION = table(
    # code, severity, clears, card inside, short text for the display, Indonesian, English
    ("held_by_operator", _W, _GO, _MAYBE, "DITAHAN: TEKAN GO",
     "Ditahan oleh petugas; tekan GO untuk melanjutkan.",
     "Held by the operator; press GO to go on."),
    ("stopping", _W, _SELF, _MAYBE, "SEDANG BERHENTI",
     "Stasiun sedang berhenti; tunggu kartu ini selesai.",
     "The station is stopping; wait until this card is finished."),
    ("renderer_failed", _F, _TECH, _OUT, "GAMBAR GAGAL",
     "Program penggambar kartu tidak bekerja; panggil teknisi.",
     "The program that draws cards does not work; call the technician."),
    ("disk_full", _F, _TECH, _OUT, "DISK PENUH",
     "Disk penuh; kosongkan ruang disk.",
     "The disk is full; free some space."),
    ("store_failed", _F, _TECH, _MAYBE, "DISK BERMASALAH",
     "Penyimpanan bermasalah; hentikan stasiun dan panggil teknisi.",
     "The storage failed; stop the station and call the technician."),
)
# fmt: on
