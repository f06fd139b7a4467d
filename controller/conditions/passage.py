"""What happens to one card: chip, proofs, what only a person can tell, and what a person does by hand (plan `external`)."""

from __future__ import annotations

from controller.conditions.row import CardInside, Clears, Severity, table

_W, _F = Severity.WAITS, Severity.FAULT
_SELF, _GO, _TECH = Clears.SELF, Clears.GO, Clears.TECHNICIAN
_IN, _OUT, _MAYBE = CardInside.YES, CardInside.NO, CardInside.PERHAPS

# fmt: off
PASSAGE = table(
    # code, severity, clears, card inside, short text for the display, Indonesian, English
    # the chip is not as it must be: the card is thrown out, the lane goes on
    ("chip_silent", _F, _SELF, _MAYBE, "CHIP TIDAK JAWAB",
     "Chip tidak menjawab; blangko masuk ke kotak tolak.",
     "The chip does not answer; the blank goes to the reject box."),
    ("chip_refused", _F, _SELF, _MAYBE, "CHIP MENOLAK",
     "Chip menolak perintah; blangko masuk ke kotak tolak.",
     "The chip refused a command; the blank goes to the reject box."),
    ("chip_used", _F, _SELF, _MAYBE, "CHIP SUDAH DIPAKAI",
     "Chip blangko sudah pernah dipakai; blangko masuk ke kotak tolak.",
     "The blank's chip was used before; the blank goes to the reject box."),
    ("chip_unknown", _F, _SELF, _MAYBE, "CHIP TIDAK DIKENAL",
     "Chip blangko tidak ada dalam batch mana pun; blangko masuk ke kotak tolak, periksa asal blangko.",
     "No received batch lists the blank's chip; the blank goes to the reject box, find out where it came from."),
    ("chip_destroyed", _F, _SELF, _MAYBE, "CHIP DIMUSNAHKAN",
     "Chip blangko tercatat sudah dimusnahkan; blangko masuk ke kotak tolak, laporkan kepada atasan.",
     "The blank's chip is recorded as destroyed; the blank goes to the reject box, report it to your superior."),
    ("chip_differs", _F, _SELF, _MAYBE, "ISI CHIP BERBEDA",
     "Isi chip tidak sama dengan yang ditulis; kartu masuk ke kotak tolak.",
     "The chip's content differs from what was written; the card goes to the reject box."),
    ("chip_swapped", _F, _SELF, _MAYBE, "CHIP TERTUKAR",
     "Chip berbeda dari yang ditulis; kartu masuk ke kotak tolak.",
     "The chip is not the one that was written; the card goes to the reject box."),
    ("chip_unfinished", _F, _SELF, _MAYBE, "CHIP BELUM SELESAI",
     "Penulisan chip terputus di tengah; kartu masuk ke kotak tolak.",
     "Writing the chip was interrupted half-way; the card goes to the reject box."),
    # the card's way is not proven
    ("print_unproven", _F, _SELF, _MAYBE, "CETAK TAK TERBUKTI",
     "Printer tidak membuktikan semua panel tercetak; kartu masuk ke kotak tolak.",
     "The printer does not prove that every panel was printed; the card goes to the reject box."),
    ("card_missing", _F, _SELF, _MAYBE, "KARTU TAK TERLIHAT",
     "Kartu tidak terlihat di tempat yang seharusnya; periksa printer.",
     "The card is not seen where it should be; look at the printer."),
    ("interrupted", _W, _SELF, _MAYBE, "KARTU TERPUTUS",
     "Pembuatan kartu ini terputus sebelum selesai; kartu baru dibuat sekali secara otomatis.",
     "The making of this card was interrupted before its end; a new one is made once automatically."),
    # what only a person can tell
    ("ask_tray", _W, _GO, _OUT, "BLANGKO DI BAKI?",
     "Mungkin ada blangko di baki keluaran; letakkan di pembaca meja, atau tekan GO bila tidak ada.",
     "A blank may lie in the output tray; put it on the desk reader, or press GO if there is none."),
    ("ask_desk", _W, _GO, _OUT, "KARTU KE PEMBACA",
     "Satu kartu keluar belum diperiksa; letakkan kartu dari baki atau kotak tolak di pembaca meja; tekan HOLD bila rusak.",
     "A card came out unchecked; put the card from the tray or the reject box on the desk reader; press HOLD if it is spoiled."),
    ("ask_look", _W, _GO, _OUT, "LIHAT MUKA KARTU",
     "Chip kartu di pembaca meja baik; tekan GO bila mukanya utuh, HOLD bila rusak.",
     "The chip of the card on the desk reader is good; press GO if its face is complete, HOLD if it is spoiled."),
    ("called_spoiled", _W, _SELF, _OUT, "DINYATAKAN RUSAK",
     "Petugas menyatakan kartu rusak; masukkan kartu itu ke kotak tolak.",
     "A person called the card spoiled; put it into the reject box."),
    ("card_lost", _F, _TECH, _OUT, "KARTU HILANG",
     "Kartu tidak ditemukan siapa pun; cari kartunya sebelum mencetak ulang dengan 'print-station retry'.",
     "Nobody has the card; look for it before you have it made again with 'print-station retry'."),
    ("restored", _W, _TECH, _MAYBE, "DATA DIPULIHKAN",
     "Data stasiun dipulihkan dari cadangan; pastikan kartu ini belum pernah terbit, lalu 'print-station retry'.",
     "The station's state was restored from a snapshot; make sure that this card was never issued, then 'print-station retry'."),
    # plan `external`: the display leads the person through it, step by step
    ("lay_blank", _W, _SELF, _OUT, "TARUH BLANGKO",
     "Giliran blangko baru; taruh satu blangko kosong dari tumpukan di pembaca chip jalur ini.",
     "It is time for a new blank; lay one empty blank from the stack on this lane's chip reader."),
    ("feed_by_hand", _W, _SELF, _OUT, "KARTU KE PRINTER",
     "Chip sudah ditulis; ambil kartu ini dari pembaca dan masukkan ke celah printer, satu kartu saja.",
     "The chip is written; take this card from the reader and put it into the printer's slot, one card only."),
    ("lay_printed", _W, _SELF, _OUT, "TARUH HASIL CETAK",
     "Kartu sudah dicetak; ambil dari printer dan taruh di pembaca chip jalur ini.",
     "The card is printed; take it from the printer and lay it on this lane's chip reader."),
    ("lay_other", _W, _SELF, _OUT, "GANTI KARTU INI",
     "Kartu di pembaca bukan kartu yang ditunggu; ambil kartu itu dan taruh kartu yang benar.",
     "The card on the reader is not the one that is awaited; take it away and lay the right one down."),
    ("lay_again", _W, _SELF, _OUT, "TARUH LAGI KARTU",
     "Kartu ini belum selesai; taruh lagi di pembaca chip jalur ini, atau tunggu sampai ditanyakan bila tidak ada.",
     "This card is not finished; lay it on this lane's chip reader again, or wait to be asked if it is not there."),
    ("take_card_away", _W, _SELF, _OUT, "AMBIL KARTU JADI",
     "Kartu di pembaca sudah selesai; angkat dan taruh bersama kartu yang sudah jadi.",
     "The card on the reader is finished; take it away and put it with the finished cards."),
    ("to_reject_box", _W, _SELF, _OUT, "KE KOTAK TOLAK",
     "Kartu ini tidak baik; masukkan ke kotak tolak.",
     "This card is not good; put it into the reject box."),
)
# fmt: on
