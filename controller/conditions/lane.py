"""What the daemon finds out about a lane's devices: links, sensors, buttons, stock; and what the desk reader says to people."""

from __future__ import annotations

from controller.conditions.row import CardInside, Clears, Severity, table

_W, _F = Severity.WAITS, Severity.FAULT
_SELF, _GO, _TECH = Clears.SELF, Clears.GO, Clears.TECHNICIAN
_IN, _OUT, _MAYBE = CardInside.YES, CardInside.NO, CardInside.PERHAPS

# fmt: off
LANE = table(
    # code, severity, clears, card inside, short text for the display, Indonesian, English
    # hopper, bins, care: by ledger, sensors and counters
    ("hopper_uncounted", _W, _SELF, _OUT, "CATAT ISI HOPPER",
     "Menurut buku, hopper kosong; catat isi hopper dengan 'print-station stock load'.",
     "By the ledger the hopper is empty; count the blanks in with 'print-station stock load'."),
    ("rejects_in_row", _W, _GO, _OUT, "BANYAK DITOLAK",
     "Beberapa blangko ditolak berturut-turut; periksa pembaca, SAM dan blangko, lalu tekan GO.",
     "Several blanks in a row were rejected; check reader, SAM and blanks, then press GO."),
    ("feed_unproven", _W, _GO, _MAYBE, "HITUNGAN BERBEDA",
     "Printer dan sensor tidak sepakat tentang blangko yang diambil; hitung isi hopper, lalu tekan GO.",
     "Printer and sensor disagree about the blank that was fed; count the hopper, then press GO."),
    ("card_inside", _W, _SELF, _IN, "KARTU DI PRINTER",
     "Ada kartu di dalam printer; buka printer dan ambil kartu itu.",
     "A card is inside the printer; open the printer and take it out."),
    ("cool_down", _W, _SELF, _OUT, "PRINTER ISTIRAHAT",
     "Printer diistirahatkan agar dingin; tunggu, jalur ini lanjut sendiri.",
     "The printer rests to cool down; wait, this lane goes on by itself."),
    ("settings_changed", _W, _TECH, _OUT, "SETELAN BERUBAH",
     "Setelan printer berubah dari yang disetujui; cetak kartu uji, lalu setujui atau kembalikan setelan itu.",
     "The printer's settings differ from those accepted; print a test card, then accept them or set them back."),
    ("care_not_begun", _W, _SELF, _MAYBE, "PERINTAH TAK JADI",
     "Perawatan printer ini belum dimulai ketika stasiun berhenti; mintalah lagi bila masih perlu.",
     "This care of the printer was not begun when the station stopped; ask for it again if it is still wanted."),
    ("care_interrupted", _W, _SELF, _MAYBE, "PERAWATAN TERPUTUS",
     "Akhir perawatan printer ini tidak terlihat; lihat apakah ada kartu di printer atau di baki.",
     "Nobody saw the end of this care of the printer; look whether a card is in the printer or its tray."),
    # the printer's cable, and who is at its other end
    ("printer_absent", _F, _SELF, _MAYBE, "PRINTER TIDAK ADA",
     "Printer tidak ditemukan; periksa daya dan kabel USB.",
     "The printer is not found; check its power and USB cable."),
    ("printer_doubled", _F, _SELF, _MAYBE, "DUA PRINTER SAMA",
     "Dua printer memakai nomor seri yang sama; cabut salah satu.",
     "Two printers have the same serial number; unplug one of them."),
    ("printer_swapped", _F, _SELF, _MAYBE, "PRINTER DITUKAR",
     "Di colokan jalur ini terpasang printer lain; pasang printer yang benar, atau ubah nomor seri di station.toml.",
     "Another printer is plugged in at this lane's port; put the right one back, or change the serial number in station.toml."),
    ("printer_elsewhere", _F, _SELF, _MAYBE, "PRINTER SALAH COLOK",
     "Printer jalur ini ada di colokan USB lain; pindahkan ke colokannya, atau ubah 'port' di station.toml.",
     "This lane's printer is on another USB port; move it to its own, or change 'port' in station.toml."),
    ("printer_other", _F, _SELF, _MAYBE, "BUKAN PRINTER INI",
     "Perangkat di colokan ini bukan printer dengan merek dan kepala cetak menurut profil; pasang printer yang benar.",
     "The device at this port is not a printer of the make and print head of the profile; plug in the right one."),
    ("firmware_unknown", _F, _TECH, _MAYBE, "FIRMWARE ASING",
     "Versi firmware printer belum pernah diuji dengan profilnya; panggil teknisi untuk mengujinya.",
     "The printer's firmware was never tried with its profile; call the technician to try it."),
    ("printer_busy", _F, _SELF, _MAYBE, "PRINTER DIPAKAI",
     "Printer sedang dipakai program lain; hentikan program itu (misalnya CUPS).",
     "Another program holds the printer; stop that program (for example CUPS)."),
    ("printer_lost", _F, _SELF, _MAYBE, "PRINTER TERPUTUS",
     "Hubungan ke printer terputus; periksa daya dan kabel USB.",
     "The link to the printer was lost; check its power and USB cable."),
    ("printer_late", _F, _SELF, _MAYBE, "PRINTER LAMBAT",
     "Printer tidak menjawab pada waktunya; periksa printer.",
     "The printer did not answer in time; look at the printer."),
    ("printer_garbled", _F, _SELF, _MAYBE, "JAWABAN PRINTER ANEH",
     "Jawaban printer tidak dapat dipahami; matikan dan hidupkan printer, lalu panggil teknisi bila berulang.",
     "The printer's answer makes no sense; switch it off and on, and call the technician if it happens again."),
    # the chip reader
    ("pcsc_absent", _F, _TECH, _MAYBE, "PCSCD MATI",
     "Layanan kartu cerdas tidak berjalan; jalankan 'systemctl start pcscd'.",
     "The smart-card service is not running; run 'systemctl start pcscd'."),
    ("reader_absent", _F, _SELF, _MAYBE, "PEMBACA TIDAK ADA",
     "Pembaca chip tidak ditemukan; periksa kabelnya.",
     "The chip reader is not found; check its cable."),
    ("reader_lost", _F, _SELF, _MAYBE, "PEMBACA TERPUTUS",
     "Hubungan ke pembaca chip terputus; periksa kabelnya.",
     "The link to the chip reader was lost; check its cable."),
    ("reader_busy", _F, _SELF, _MAYBE, "PEMBACA DIPAKAI",
     "Pembaca chip dipakai program lain; hentikan program itu.",
     "Another program holds the chip reader; stop that program."),
    # the key holder
    ("sam_absent", _F, _SELF, _MAYBE, "SAM TIDAK ADA",
     "Kartu SAM atau modul kunci tidak menjawab; periksa slot SAM dan kabelnya.",
     "The SAM card or key module does not answer; check the SAM slot and its cable."),
    ("sam_locked", _F, _TECH, _MAYBE, "SAM TERKUNCI",
     "SAM menolak PIN; tidak dicoba lagi agar tidak terblokir. Panggil teknisi untuk memeriksa PIN.",
     "The key holder refuses its PIN; it is not tried again, so that it is not blocked. Call the technician to check the PIN."),
    ("sam_refused", _F, _TECH, _MAYBE, "SAM MENOLAK",
     "SAM menolak perintah atau tidak punya kunci yang diperlukan; panggil teknisi.",
     "The key holder refuses a command or lacks a key that is needed; call the technician."),
    # sensors, buttons, lamps, display
    ("pins_dead", _F, _SELF, _MAYBE, "SENSOR MATI",
     "Sensor dan tombol tidak menjawab; periksa kabel papan GPIO.",
     "Sensors and buttons do not answer; check the cable of the GPIO board."),
    ("panel_dead", _F, _SELF, _MAYBE, "TOMBOL MATI",
     "Tombol dan lampu tidak menjawab; periksa kabel papan GPIO.",
     "Buttons and lamps do not answer; check the cable of the GPIO board."),
    ("display_absent", _W, _SELF, _MAYBE, "TAMPILAN MATI",
     "Tampilan petugas tidak menjawab; periksa daya dan kabelnya, kartu tetap diproses.",
     "The operator display does not answer; check its power and cable, cards go on."),
)

# What to do with the card on the desk reader; shown while it lies there.
NOTICES = table(
    ("desk_good", _W, _SELF, _OUT, "KARTU BAIK",
     "Kartu ini baik; taruh bersama kartu yang sudah jadi.",
     "This card is good; put it with the finished cards."),
    ("desk_spoiled", _W, _SELF, _OUT, "KE KOTAK TOLAK",
     "Kartu ini rusak; masukkan ke kotak tolak.",
     "This card is spoiled; put it into the reject box."),
    ("desk_still_blank", _W, _SELF, _OUT, "KEMBALI KE HOPPER",
     "Blangko ini masih kosong; kembalikan ke hopper jalurnya.",
     "This blank is still empty; put it back into its lane's hopper."),
    ("desk_lift", _W, _SELF, _OUT, "ANGKAT LALU LETAKKAN",
     "Kartu ini sudah ada sebelum ditanyakan; bila memang kartu itu, angkat lalu letakkan lagi.",
     "This card lay here before anything was asked; if it is the one, lift it and lay it down again."),
    ("desk_other", _W, _SELF, _OUT, "BUKAN KARTU ITU",
     "Bukan kartu yang ditanyakan; ambil kartu dari baki jalur itu.",
     "Not the card that is asked for; take the one from that lane's tray."),
)
# fmt: on
