"""print-station verify-log FILE"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from controller import verify_log

# What the verifier's last line means, in the words of staff; it speaks English itself, as auditors anywhere may use it.
_MEANS = {
    verify_log.INTACT: "UTUH: setiap baris ada, tidak berubah, dan urut.",
    verify_log.TAMPERED: "TIDAK UTUH: ada baris yang diubah, dihapus, disisipkan, atau dipotong; simpan berkasnya dan laporkan.",
    verify_log.USAGE: "SALAH PAKAI: jangkar adalah NOMOR:HASH dengan sedikitnya 10 angka hash, kunci 64 angka heksadesimal.",
    verify_log.TORN: "TERPOTONG: salinannya tidak lengkap; salin lagi berkasnya.",
    verify_log.OTHER_STATION: "STASIUN LAIN: log ini bukan dari stasiun dengan kunci itu; ambil berkas yang benar.",
    verify_log.UNJUDGED: "TIDAK DAPAT DINILAI: berkas tidak terbaca, bukan log, atau baris jangkar ada di berkas sebelumnya.",
    verify_log.UNSIGNED: "TANPA TANDA TANGAN: terlalu banyak baris terakhir belum ditandatangani; minta ekspor baru stasiun.",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options: those of the stand-alone verifier."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an export, or the station's database")
    parser.add_argument(
        "--anchor", default="", metavar="SEQ:HASH", help="a head of the log that was noted before: proves truncation"
    )
    parser.add_argument("--key", default="", metavar="HEX", help="the station's public key, noted before")


def run(arguments: argparse.Namespace) -> NoReturn:
    """Print the findings and a summary, and end with the verifier's exit code (see controller/verify_log.py)."""
    try:
        verify_log.verify(arguments.file, arguments.anchor, arguments.key)
    except SystemExit as ended:
        print(_MEANS[int(str(ended.code))])
        raise
