"""Every reason to refuse a record: one sentence and one action each, Indonesian and English.

The one table behind the API's answers and docs/record-format.md. Facts in braces come from the format's own limits, never from
the record: a refusal must not repeat a name, a NIK or any other content.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.errors import Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason; `id` and `en` may hold facts in braces."""

    code: str
    id: str
    en: str


def _rows(*rows: tuple[str, str, str]) -> dict[str, Refusal]:
    return {code: Refusal(code, text_id, text_en) for code, text_id, text_en in rows}


REFUSALS = _rows(
    # code, Indonesian, English
    ("json.too_large", "Data lebih besar dari {max} byte; kirim satu data per berkas.",
     "The record is larger than {max} bytes; send one record per file."),
    ("json.encoding", "Data bukan teks UTF-8 mulai byte {byte}; simpan sebagai UTF-8 tanpa BOM.",
     "The record is not UTF-8 text from byte {byte} on; save it as UTF-8 without a byte order mark."),
    ("json.syntax", "JSON tidak sah di baris {line}, kolom {column}; ekspor ulang data ini dari pusat.",
     "The JSON is malformed at line {line}, column {column} ({what}); export the record again at the centre."),
    ("json.duplicate", "Nama isian muncul dua kali di baris {line}, kolom {column}; hapus salah satu lalu segel ulang di pusat.",
     "A field name appears twice at line {line}, column {column}; remove one and have the centre seal the record again."),
    ("json.number", "Angka di baris {line}, kolom {column} bukan bilangan bulat wajar; tulis sebagai bilangan bulat.",
     "The number at line {line}, column {column} is not a plain whole number; write it as one."),
    ("json.depth", "JSON bersarang lebih dari {max} tingkat di baris {line}, kolom {column}; ikuti docs/record-format.md.",
     "The JSON nests deeper than {max} levels at line {line}, column {column}; follow docs/record-format.md."),
    ("json.values", "JSON berisi lebih dari {max} nilai; ikuti docs/record-format.md.",
     "The JSON holds more than {max} values; follow docs/record-format.md."),

    ("schema.missing", "Isian wajib ini tidak ada; tambahkan di pusat lalu segel ulang.",
     "This required field is missing; add it at the centre and seal the record again."),
    ("schema.unknown_field", "Isian ini tidak dikenal; hapus isian ini di pusat lalu segel ulang.",
     "This field is unknown; remove it at the centre and seal the record again."),
    ("schema.misspelt_field", "Isian ini tidak dikenal; mungkin maksudnya '{nearest}': perbaiki di pusat lalu segel ulang.",
     "This field is unknown; did you mean '{nearest}'? Correct it at the centre and seal the record again."),
    ("schema.type", "Jenis nilainya salah; tulis {expected_id}.", "The value has the wrong type; write {expected_en}."),
    ("schema.null", "Nilai null tidak dipakai; hilangkan isian ini bila kosong.",
     "null is not used; leave the field out when there is nothing to say."),
    ("schema.too_long", "Teks lebih panjang dari {max} karakter; persingkat di pusat lalu segel ulang.",
     "The text is longer than {max} characters; shorten it at the centre and seal the record again."),
    ("schema.empty", "Teks kosong; isi, atau hilangkan isian ini bila boleh kosong.",
     "The text is empty; fill it in, or leave the field out where that is allowed."),
    ("schema.characters", "Teks memuat karakter yang tidak dicetak pada kartu atau spasi berlebih; pakai huruf Latin.",
     "The text holds characters that cards do not show, or stray spaces; use Latin letters, digits, signs and single spaces."),
    ("schema.format", "Bentuk nilainya salah; tulis {expected_id}.", "The value has the wrong form; write {expected_en}."),
    ("schema.choice", "Nilai ini tidak dikenal; pakai {choices}.", "The value is unknown; use {choices}."),
    ("schema.date", "Tanggal ini tidak ada di kalender; tulis TTTT-BB-HH mulai tahun {first_year}.",
     "There is no such date; write YYYY-MM-DD, from the year {first_year} on."),
    ("schema.base64", "Isi bukan base64 baku; kodekan ulang di pusat dengan huruf standar, tanpa baris baru.",
     "The content is not standard base64; encode it again at the centre, standard alphabet, no line breaks."),

    ("record_id.nik", "record_id memuat NIK; pusat harus memakai nomor lain karena record_id tampil di daftar.",
     "record_id holds the NIK; the centre must use another number, because record_id is shown in lists."),
    ("date.birth", "Tanggal lahir sesudah tanggal perekaman; perbaiki tanggalnya di pusat.",
     "The date of birth is after the date of recording; correct the dates at the centre."),
    ("date.valid_until", "Kartu WNA tidak berlaku seumur hidup; isi valid_until dengan tanggal akhir izin tinggal.",
     "A foreigner's card is not valid for life; give valid_until the last day of the residence permit."),

    ("status.unregistered", "Penduduk ini belum direkam; minta datang untuk perekaman.",
     "The resident was never recorded; ask the resident to come for recording."),
    ("status.captured", "Rekaman belum dikirim ke pusat; kirim dahulu dari server daerah.",
     "The recording has not been sent to the centre; send it from the local server first."),
    ("status.sent_for_enrollment", "Rekaman masih diproses di pusat (SFE); tunggu sampai status menjadi PRINT_READY_RECORD.",
     "The recording is still under way to the centre (SFE); wait until its status is PRINT_READY_RECORD."),
    ("status.received_at_central", "Rekaman baru diterima pusat; tunggu sampai status menjadi PRINT_READY_RECORD.",
     "The centre has received the recording but not checked it; wait until its status is PRINT_READY_RECORD."),
    ("status.enroll_failure", "Biometrik tidak lengkap; hapus rekaman lama lalu rekam ulang penduduk ini.",
     "The biometrics are incomplete; delete the recording and record the resident again."),
    ("status.search_failure", "Pencarian kembar di pusat gagal; ajukan ulang rekaman ini ke pusat.",
     "The centre's search for duplicates failed; submit the recording to the centre again."),
    ("status.adjudicate", "Pusat harus memutuskan data ini; tunggu keputusannya (ADJUDICATE_RECORD).",
     "The centre must decide on this record; wait for its decision (ADJUDICATE_RECORD)."),
    ("status.duplicate", "Data ganda, kartu tidak boleh dicetak; minta penduduk datang untuk hapus ganda atau proses pindah.",
     "The resident is recorded twice, no card may be made; have the holder come in to delete the duplicate or process the move."),
    ("status.card_printing", "Kartu untuk data ini sudah dipesan cetak; periksa di mana kartu itu dicetak.",
     "A card for this record was already sent for printing; find out where it is being made."),
    ("status.card_printed", "Kartu untuk data ini sudah dicetak; cari kartunya, atau minta data cetak ulang dari pusat.",
     "A card for this record was already printed; look for it, or ask the centre for a record for a reprint."),
    ("status.unknown", "Status data ini tidak dikenal; tanyakan kepada pusat, hanya PRINT_READY_RECORD yang boleh dicetak.",
     "The record's status is unknown; ask the centre, only a PRINT_READY_RECORD may be printed."),

    ("nik.digits", "NIK bukan 16 angka; perbaiki di pusat lalu segel ulang.",
     "The NIK is not 16 digits; correct it at the centre and seal the record again."),
    ("nik.province", "Angka 1-2 NIK bukan kode provinsi; periksa NIK di pusat.",
     "Digits 1-2 of the NIK are no province code; check the NIK at the centre."),
    ("nik.regency", "Angka 3-4 NIK bukan kode kabupaten/kota (01-99); periksa NIK di pusat.",
     "Digits 3-4 of the NIK are no regency code (01-99); check the NIK at the centre."),
    ("nik.district", "Angka 5-6 NIK bukan kode kecamatan (01-99); periksa NIK di pusat.",
     "Digits 5-6 of the NIK are no district code (01-99); check the NIK at the centre."),
    ("nik.sex", "Angka 7-8 NIK tidak sesuai jenis kelamin (perempuan: tanggal + 40); periksa NIK dan jenis kelamin di pusat.",
     "Digits 7-8 of the NIK disagree with the sex (women: day + 40); check NIK and sex at the centre."),
    ("nik.birth_date", "Angka 7-12 NIK tidak sesuai tanggal lahir; periksa NIK dan tanggal lahir di pusat.",
     "Digits 7-12 of the NIK disagree with the date of birth; check NIK and date of birth at the centre."),
    ("nik.serial", "Nomor urut NIK (angka 13-16) adalah 0000; periksa NIK di pusat.",
     "The serial number of the NIK (digits 13-16) is 0000; check the NIK at the centre."),

    ("seal.malformed", "Segel bukan JWS terpisah; segel ulang data ini di pusat.",
     "The seal is not a detached JWS; have the centre seal the record again."),
    ("seal.attached", "Segel membawa isi sendiri; segel ulang di pusat dengan isi terpisah.",
     "The seal carries a payload of its own; have the centre seal the record with a detached payload."),
    ("seal.algorithm", "Segel tidak memakai EdDSA; segel ulang di pusat dengan Ed25519.",
     "The seal's algorithm is not EdDSA; have the centre seal the record with Ed25519."),
    ("seal.unencoded", "Segel tidak menyatakan b64=false di crit; segel ulang di pusat menurut RFC 7797.",
     "The seal does not state b64=false as critical; have the centre seal the record by RFC 7797."),
    ("seal.header", "Kepala segel memuat isian selain alg, b64, crit dan kid; segel ulang di pusat tanpa isian itu.",
     "The seal's header holds more than alg, b64, crit and kid; have the centre seal the record without it."),
    ("seal.unknown_key", "Kunci segel tidak ada di centre_keys; periksa asal data, dan tambahkan kunci ke station.toml bila sah.",
     "The seal's key is not among centre_keys; check the record's origin, and add the key to station.toml if it is genuine."),
    ("seal.mismatch", "Segel tidak cocok: data berubah sesudah disegel; minta data ini lagi dari pusat.",
     "The seal does not fit: the record was changed after sealing; fetch it from the centre again."),

    ("image.too_large", "Gambar lebih besar dari {max_bytes} byte; perkecil di pusat lalu segel ulang.",
     "The image is larger than {max_bytes} bytes; make it smaller at the centre and seal the record again."),
    ("image.empty", "Gambar 0 byte; ambil ulang gambarnya di pusat.", "The image has 0 bytes; fetch it anew at the centre."),
    ("image.kind", "Isi gambar bukan {media_type}; simpan ulang gambar di pusat.",
     "The content is not {media_type}; save the image again at the centre."),
    ("image.coding", "Jenis pengodean JPEG ini tidak didukung; simpan sebagai JPEG baku 8 bit, abu-abu atau warna.",
     "This kind of JPEG coding is not supported; save it as an ordinary 8-bit JPEG, grey or colour."),
    ("image.truncated", "Gambar terpotong; ambil ulang gambarnya di pusat.",
     "The image is cut short; fetch it anew at the centre."),
    ("image.trailing", "Ada data lain sesudah akhir gambar; simpan ulang gambar di pusat.",
     "Other data follows the end of the image; save the image again at the centre."),
    ("image.too_many_pixels", "Gambar lebih dari {max} piksel; perkecil di pusat lalu segel ulang.",
     "The image has more than {max} pixels; make it smaller at the centre and seal the record again."),
    ("image.too_few_pixels", "Gambar lebih kecil dari {least} x {least} piksel; pakai gambar yang lebih besar.",
     "The image is smaller than {least} x {least} pixels; use a larger one."),

    ("chip.too_large", "Isi berkas chip lebih dari {max} byte; perkecil di pusat lalu segel ulang.",
     "The chip file holds more than {max} bytes; make it smaller at the centre and seal the record again."),
    ("chip.total", "Isi chip bersama-sama lebih dari {max} byte; perkecil di pusat lalu segel ulang.",
     "The chip files together hold more than {max} bytes; make them smaller at the centre and seal the record again."),
    ("chip.no_such_file", "Profil chip stasiun ini tidak punya berkas ini; periksa profil chip di station.toml.",
     "This station's chip profile has no such file; check the chip profile in station.toml."),
    ("chip.signature", "Tanda tangan pusat tidak cocok dengan isi chip; minta data ini lagi dari pusat, atau periksa chip_keys.",
     "The centre's signature does not fit the chip's contents; fetch the record from the centre again, or check chip_keys."),
)  # fmt: skip


def problem(code: str, place: str = "", **facts: str | int) -> Problem:
    """The problem of row `code` at `place`. Raises KeyError for a code or a fact that is missing: a bug."""
    row = REFUSALS[code]
    return Problem(code, place, row.id.format_map(facts), row.en.format_map(facts))
