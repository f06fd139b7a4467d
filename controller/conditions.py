"""Every condition a lane or the station can be in, with what staff should do: one sentence and one action each.

One table for display, lamps, panel, API and metrics. `waits` means a person or a refill is awaited (amber lamp); `fault`
means something is broken (red lamp). A code that is not here is a bug, never shown raw.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Which lamp a condition lights."""

    WAITS = "waits"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that keeps a lane or the station from working."""

    code: str
    severity: Severity
    short: str  # at most 20 characters, Indonesian, for the operator display
    id: str  # sentence and action for staff, Indonesian
    en: str  # the same in English


def _rows(*rows: tuple[str, Severity, str, str, str]) -> dict[str, Condition]:
    return {row[0]: Condition(*row) for row in rows}


_W, _F = Severity.WAITS, Severity.FAULT

# fmt: off
CONDITIONS = _rows(
    # code, severity, short text for the display, Indonesian, English
    ("held_by_operator", _W, "DITAHAN: TEKAN GO",
     "Ditahan oleh petugas; tekan GO untuk melanjutkan.",
     "Held by the operator; press GO to go on."),
    ("stopping", _W, "SEDANG BERHENTI",
     "Stasiun sedang berhenti; tunggu kartu ini selesai.",
     "The station is stopping; wait until this card is finished."),
    ("hopper_empty", _W, "HOPPER KOSONG",
     "Hopper kosong; isi blangko lalu catat dengan 'print-station stock load'.",
     "The hopper is empty; load blanks and count them in with 'print-station stock load'."),
    ("hopper_uncounted", _W, "CATAT ISI HOPPER",
     "Menurut buku, hopper kosong; catat isi hopper dengan 'print-station stock load'.",
     "By the ledger the hopper is empty; count the blanks in with 'print-station stock load'."),
    ("rejects_in_row", _W, "BANYAK DITOLAK",
     "Beberapa blangko ditolak berturut-turut; periksa pembaca dan blangko, lalu tekan GO.",
     "Several blanks in a row were rejected; check reader and blanks, then press GO."),
    ("bin_full", _W, "BAK KARTU PENUH",
     "Bak keluaran penuh; ambil kartu yang sudah jadi.",
     "The output bin is full; take the finished cards out."),
    ("bin_open", _W, "TUTUP PINTU BAK",
     "Pintu bak keluaran terbuka; tutup pintunya.",
     "The output bin's door is open; close it."),
    ("ask_tray", _W, "BLANGKO DI BAKI?",
     "Mungkin ada blangko di baki keluaran; letakkan di pembaca meja, atau tekan GO bila tidak ada.",
     "A blank may lie in the output tray; put it on the desk reader, or press GO if there is none."),
    ("ask_desk", _W, "KARTU KE PEMBACA",
     "Satu kartu keluar tanpa terlihat; letakkan kartu dari baki atau kotak tolak di pembaca meja; tekan HOLD bila rusak.",
     "A card left unseen; put the card from the tray or the reject box on the desk reader; press HOLD if it is spoiled."),
    ("ask_look", _W, "LIHAT MUKA KARTU",
     "Chip kartu di pembaca meja baik; tekan GO bila mukanya utuh, HOLD bila rusak.",
     "The chip of the card on the desk reader is good; press GO if its face is complete, HOLD if it is spoiled."),
    ("card_inside", _W, "KARTU DI PRINTER",
     "Ada kartu di dalam printer; buka printer dan ambil kartu itu.",
     "A card is inside the printer; open the printer and take it out."),
    ("cover_open", _W, "TUTUP PRINTER",
     "Tutup printer terbuka; tutup kembali.",
     "The printer's cover is open; close it."),
    ("ribbon_end", _W, "GANTI PITA",
     "Pita habis atau tidak ada; pasang pita baru.",
     "The ribbon is used up or missing; fit a new one."),
    ("ribbon_wrong", _W, "PITA SALAH",
     "Jenis pita salah; pasang pita YMCKO.",
     "The ribbon is of the wrong type; fit a YMCKO ribbon."),
    ("ribbon_unreadable", _W, "PERIKSA PITA",
     "Pita tidak terbaca; pasang kembali pita atau ganti.",
     "The ribbon cannot be read; refit or replace it."),
    ("cleaning_due", _W, "BERSIHKAN PRINTER",
     "Printer minta dibersihkan; jalankan kartu pembersih.",
     "The printer asks for cleaning; run a cleaning card."),
    ("card_jam", _F, "KARTU MACET",
     "Kartu macet; buka printer dan keluarkan kartu.",
     "A card is jammed; open the printer and take it out."),
    ("card_stuck", _F, "KARTU TERSANGKUT",
     "Kartu tidak bergerak; buka printer dan periksa jalur kartu.",
     "The card does not move; open the printer and look along the card path."),
    ("print_head", _F, "KEPALA CETAK RUSAK",
     "Kepala cetak bermasalah; panggil teknisi.",
     "The print head has a fault; call the technician."),
    ("option_missing", _F, "OPSI TIDAK ADA",
     "Printer tidak memiliki stasiun ini; panggil teknisi.",
     "The printer lacks this station; call the technician."),
    ("printer_refused", _F, "PRINTER MENOLAK",
     "Printer menolak perintah; catat pesannya dan panggil teknisi.",
     "The printer refused a command; note its message and call the technician."),
    ("printer_garbled", _F, "JAWABAN PRINTER",
     "Jawaban printer tidak dikenal; matikan dan hidupkan printer, lalu panggil teknisi bila berulang.",
     "The printer's answer makes no sense; switch it off and on, and call the technician if it happens again."),
    ("printer_absent", _F, "PRINTER TIDAK ADA",
     "Printer tidak ditemukan; periksa daya dan kabel USB.",
     "The printer is not found; check its power and USB cable."),
    ("printer_doubled", _F, "DUA PRINTER SAMA",
     "Dua printer memakai nomor seri yang sama; cabut salah satu.",
     "Two printers have the same serial number; unplug one of them."),
    ("printer_busy", _F, "PRINTER DIPAKAI",
     "Printer sedang dipakai program lain; hentikan program itu (misalnya CUPS).",
     "Another program holds the printer; stop that program (for example CUPS)."),
    ("printer_lost", _F, "PRINTER TERPUTUS",
     "Hubungan ke printer terputus; periksa daya dan kabel USB.",
     "The link to the printer was lost; check its power and USB cable."),
    ("printer_late", _F, "PRINTER LAMBAT",
     "Printer tidak menjawab pada waktunya; periksa printer.",
     "The printer did not answer in time; look at the printer."),
    ("pcsc_absent", _F, "PCSCD MATI",
     "Layanan kartu cerdas tidak berjalan; jalankan 'systemctl start pcscd'.",
     "The smart-card service is not running; run 'systemctl start pcscd'."),
    ("reader_absent", _F, "PEMBACA TIDAK ADA",
     "Pembaca chip tidak ditemukan; periksa kabelnya.",
     "The chip reader is not found; check its cable."),
    ("reader_lost", _F, "PEMBACA TERPUTUS",
     "Hubungan ke pembaca chip terputus; periksa kabelnya.",
     "The link to the chip reader was lost; check its cable."),
    ("reader_busy", _F, "PEMBACA DIPAKAI",
     "Pembaca chip dipakai program lain; hentikan program itu.",
     "Another program holds the chip reader; stop that program."),
    ("chip_silent", _F, "CHIP TIDAK JAWAB",
     "Chip tidak menjawab; blangko dibuang ke bak tolak.",
     "The chip does not answer; the blank goes to the reject bin."),
    ("chip_refused", _F, "CHIP MENOLAK",
     "Chip menolak perintah; blangko dibuang ke bak tolak.",
     "The chip refused a command; the blank goes to the reject bin."),
    ("chip_used", _F, "CHIP SUDAH DIPAKAI",
     "Chip blangko sudah pernah dipakai; blangko dibuang ke bak tolak.",
     "The blank's chip was used before; the blank goes to the reject bin."),
    ("chip_unknown", _F, "CHIP TIDAK DIKENAL",
     "Chip blangko tidak ada dalam batch mana pun; blangko dibuang ke bak tolak, periksa asal blangko.",
     "No received batch lists the blank's chip; the blank goes to the reject bin, find out where it came from."),
    ("chip_destroyed", _F, "CHIP DIMUSNAHKAN",
     "Chip blangko tercatat sudah dimusnahkan; blangko dibuang ke bak tolak, laporkan kepada atasan.",
     "The blank's chip is recorded as destroyed; the blank goes to the reject bin, report it to your superior."),
    ("chip_differs", _F, "ISI CHIP BERBEDA",
     "Isi chip tidak sama dengan yang ditulis; kartu dibuang ke bak tolak.",
     "The chip's content differs from what was written; the card goes to the reject bin."),
    ("chip_swapped", _F, "CHIP TERTUKAR",
     "Chip berbeda dari yang ditulis; kartu dibuang ke bak tolak.",
     "The chip is not the one that was written; the card goes to the reject bin."),
    ("print_unproven", _F, "CETAK TAK TERBUKTI",
     "Printer tidak membuktikan semua panel tercetak; kartu dibuang ke bak tolak.",
     "The printer does not prove that every panel was printed; the card goes to the reject bin."),
    ("card_missing", _F, "KARTU TAK TERLIHAT",
     "Kartu tidak terlihat di tempat yang seharusnya; periksa printer.",
     "The card is not seen where it should be; look at the printer."),
    ("pins_dead", _F, "SENSOR MATI",
     "Sensor dan tombol tidak menjawab; periksa kabel papan GPIO.",
     "Sensors and buttons do not answer; check the cable of the GPIO board."),
    ("feed_unproven", _W, "HITUNGAN BERBEDA",
     "Printer dan sensor tidak sepakat tentang blangko yang diambil; hitung isi hopper, lalu tekan GO.",
     "Printer and sensor disagree about the blank that was fed; count the hopper, then press GO."),
    ("panel_dead", _F, "TOMBOL MATI",
     "Tombol dan lampu tidak menjawab; periksa kabel papan GPIO.",
     "Buttons and lamps do not answer; check the cable of the GPIO board."),
    ("interrupted", _W, "KARTU TERPUTUS",
     "Pembuatan kartu ini terputus sebelum selesai; kartu baru dibuat sekali secara otomatis.",
     "The making of this card was interrupted before its end; a new one is made once automatically."),
    ("chip_unfinished", _F, "CHIP BELUM SELESAI",
     "Penulisan chip terputus di tengah; kartu dibuang ke bak tolak.",
     "Writing the chip was interrupted half-way; the card goes to the reject bin."),
    ("called_spoiled", _W, "DINYATAKAN RUSAK",
     "Petugas menyatakan kartu rusak; masukkan kartu itu ke kotak tolak.",
     "A person called the card spoiled; put it into the reject box."),
    ("card_lost", _F, "KARTU HILANG",
     "Kartu tidak ditemukan siapa pun; cari kartunya sebelum mencetak ulang dengan 'print-station retry'.",
     "Nobody has the card; look for it before you have it made again with 'print-station retry'."),
    ("printer_moving", _F, "PRINTER BERGERAK",
     "Printer masih bergerak; tunggu sebentar.",
     "The printer is still moving; wait a moment."),
    ("renderer_failed", _F, "GAMBAR GAGAL",
     "Program penggambar kartu tidak bekerja; panggil teknisi.",
     "The program that draws cards does not work; call the technician."),
    ("display_absent", _W, "TAMPILAN MATI",
     "Tampilan petugas tidak menjawab; periksa daya dan kabelnya. Kartu tetap diproses.",
     "The operator display does not answer; check its power and cable. Cards go on."),
    ("restored", _W, "DATA DIPULIHKAN",
     "Data stasiun dipulihkan dari cadangan; pastikan kartu ini belum pernah terbit, lalu 'print-station retry'.",
     "The station's state was restored from a snapshot; make sure that this card was never issued, then 'print-station retry'."),
    ("disk_full", _F, "DISK PENUH",
     "Disk penuh; kosongkan ruang disk.",
     "The disk is full; free some space."),
    ("store_failed", _F, "DISK BERMASALAH",
     "Penyimpanan bermasalah; hentikan stasiun dan panggil teknisi.",
     "The storage failed; stop the station and call the technician."),
)

# What to do with the card on the desk reader; shown while it lies there.
NOTICES = _rows(
    ("desk_good", _W, "KARTU BAIK",
     "Kartu ini baik; taruh bersama kartu yang sudah jadi.",
     "This card is good; put it with the finished cards."),
    ("desk_spoiled", _W, "KE KOTAK TOLAK",
     "Kartu ini rusak; masukkan ke kotak tolak.",
     "This card is spoiled; put it into the reject box."),
    ("desk_still_blank", _W, "KEMBALI KE HOPPER",
     "Blangko ini masih kosong; kembalikan ke hopper jalurnya.",
     "This blank is still empty; put it back into its lane's hopper."),
    ("desk_lift", _W, "ANGKAT LALU LETAKKAN",
     "Kartu ini sudah ada sebelum ditanyakan; bila memang kartu itu, angkat lalu letakkan lagi.",
     "This card lay here before anything was asked; if it is the one, lift it and lay it down again."),
    ("desk_other", _W, "BUKAN KARTU ITU",
     "Bukan kartu yang ditanyakan; ambil kartu dari baki jalur itu.",
     "Not the card that is asked for; take the one from that lane's tray."),
)
# fmt: on
