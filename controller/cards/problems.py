"""Every reason why a face cannot be drawn: one table, in the words staff read. No text here ever repeats a record's content."""

from __future__ import annotations

from controller.errors import Problem, RendererFailed, RenderError

_TEXTS: dict[str, tuple[str, str]] = {
    # code: (Indonesian, English)
    "image.unreadable": (
        "gambar rusak atau bukan {formats}; minta gambar baru dari pusat",
        "the image is damaged or not {formats}; ask the centre for a new one",
    ),
    "image.empty": (
        "gambar kosong (0 byte); minta gambar baru dari pusat",
        "the image is empty (0 bytes); ask the centre for a new one",
    ),
    "image.too_many_pixels": (
        "gambar melebihi {limit} piksel; minta gambar yang lebih kecil dari pusat",
        "the image has more than {limit} pixels; ask the centre for a smaller one",
    ),
    "image.too_few_pixels": (
        "gambar {width} x {height} piksel, paling kecil {min_width} x {min_height}; minta gambar yang lebih besar dari pusat",
        "the image is {width} x {height} pixels, the least is {min_width} x {min_height}; ask the centre for a larger one",
    ),
    "image.too_large": (
        "gambar melebihi {limit} byte; minta gambar yang lebih kecil dari pusat",
        "the image has more than {limit} bytes; ask the centre for a smaller one",
    ),
    "signature.dark": (
        "gambar tanda tangan hampir seluruhnya hitam; minta gambar baru dari pusat",
        "the signature image is nearly all black; ask the centre for a new one",
    ),
    "layout.too_long": (
        "teks tidak muat di kartu, juga dengan huruf terkecil dan singkatan; minta pusat menyingkatnya",
        "the text does not fit on the card even in the smallest type and abbreviated; ask the centre to shorten it",
    ),
    "layout.too_full": (
        "biodata tidak muat di kartu karena terlalu banyak baris; minta pusat menyingkat teks yang panjang",
        "the biodata needs more lines than the card has; ask the centre to shorten the long texts",
    ),
    "layout.letter": (
        "teks memuat huruf yang tidak dapat dicetak; minta pusat memperbaikinya",
        "the text has a letter that cannot be printed; ask the centre to correct it",
    ),
    "layout.broken": (
        "tata letak kartu salah: {detail}; panggil teknisi",
        "the card layout is wrong: {detail}; call the technician",
    ),
    "icc.unusable": (
        "profil warna ICC printer tidak dapat dipakai ({detail}); ganti berkasnya atau hapus 'icc' dari station.toml",
        "the printer's ICC profile cannot be used ({detail}); replace the file or take 'icc' out of station.toml",
    ),
    "font.missing": (
        "huruf {file} tidak ada; pasang paket Debian {package}",
        "the font {file} is missing; install the Debian package {package}",
    ),
    "raster.unknown_packing": (
        "cara mengemas titik '{packing}' tidak dikenal; perbaiki profil printer",
        "the packing '{packing}' is not known; correct the printer profile",
    ),
    "raster.unknown_panel": (
        "panel '{panel}' tidak dapat digambar; perbaiki profil printer",
        "the panel '{panel}' cannot be drawn; correct the printer profile",
    ),
    "raster.size": (
        "panel '{panel}' seharusnya {expected} byte, bukan {actual}; perbaiki profil printer",
        "panel '{panel}' should be {expected} bytes, not {actual}; correct the printer profile",
    ),
    "raster.shape": (
        "gambar kartu {width} x {height} titik tidak cocok dengan panel '{panel}'; perbaiki profil printer",
        "a picture of {width} x {height} dots does not fit panel '{panel}'; correct the printer profile",
    ),
    "raster.no_panel": (
        "pita ini tidak punya panel '{panel}', yang dibutuhkan kartu; pasang pita lain",
        "this ribbon has no panel '{panel}', which the card needs; fit another ribbon",
    ),
    "raster.no_back": (
        "tata letak mencetak sisi belakang, tetapi pita ini tidak punya panel untuknya; pasang pita lain",
        "the layout prints the back, and this ribbon has no panels for it; fit another ribbon",
    ),
    "raster.head": (
        "kepala cetak '{packing}' tidak dapat mencetak gambar {width} x {height} titik; perbaiki profil printer",
        "the head '{packing}' cannot print a picture of {width} x {height} dots; correct the printer profile",
    ),
    "overcoat.holes": (
        "lapisan pelindung pada printer ini paling banyak {limit} lubang persegi panjang; perbaiki tata letak kartu",
        "the overcoat of this printer can have at most {limit} rectangular holes; correct the card layout",
    ),
    "overcoat.keys": (
        "lapisan pelindung pada gambar kartu tidak terbaca; gambar ulang kartu ini",
        "the overcoat of the drawn card cannot be read; draw it again",
    ),
    "panels.missing": (
        "gambar kartu belum ada di penampungan; gambar ulang kartu ini",
        "the drawn card is not in the spool; draw it again",
    ),
    "panels.damaged": (
        "gambar kartu di penampungan rusak ({detail}); gambar ulang kartu ini",
        "the drawn card in the spool is damaged ({detail}); draw it again",
    ),
    "picture.side": (
        "sisi '{side}' tidak dicetak pada kartu ini",
        "the side '{side}' of this card is not printed",
    ),
    "render.record": (
        "data yang tersimpan tidak terbaca ({detail}); panggil teknisi",
        "the stored record cannot be read ({detail}); call the technician",
    ),
    "render.memory": (
        "gambar memerlukan memori terlalu banyak; minta gambar yang lebih kecil dari pusat",
        "the images need too much memory; ask the centre for smaller ones",
    ),
    "render.timeout": (
        "penggambaran kartu melewati batas {seconds} detik dan dihentikan; panggil teknisi bila berulang",
        "drawing the card took longer than {seconds} seconds and was stopped; call the technician if it happens again",
    ),
    "render.crashed": (
        "program penggambar kartu berhenti sendiri dan dijalankan ulang; panggil teknisi bila berulang",
        "the drawing program died and is being started again; call the technician if it happens again",
    ),
}


# Reasons that say nothing of the record: the same record may be drawn once the cause is gone.
_MACHINERY = ("layout.broken", "font.", "icc.", "raster.", "overcoat.", "panels.", "render.timeout", "render.crashed")


def problem(code: str, place: str, **values: object) -> Problem:
    """The problem with this code at this place; `values` fill the gaps of its text. An unknown code is a bug (KeyError)."""
    indonesian, english = _TEXTS[code]
    return Problem(code=code, place=place, id=indonesian.format(**values), en=english.format(**values))


def refusal(code: str, place: str = "", **values: object) -> RenderError:
    """The same as an error ready to be raised: RendererFailed when the record is not to blame."""
    return as_error(problem(code, place, **values))


def as_error(found: Problem) -> RenderError:
    """The error that carries a problem of this table."""
    return RendererFailed(found) if found.code.startswith(_MACHINERY) else RenderError(found)
