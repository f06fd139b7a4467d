"""The PDF that the CUPS path is measured with: whole, and with the card's texts and pictures in it."""

import re

from benchmarks.card_pdf import card_pdf
from controller.cards.layout_file import installed_layout
from tests.golden.cards.sample import portrait, record

PDF = card_pdf(record(name="SITI (RAHMA) WATI"), installed_layout())


def test_every_object_is_where_the_table_says() -> None:
    start = int(PDF.split(b"startxref\n")[1].split(b"\n")[0])
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", PDF[start:])]
    assert [PDF[place : place + 7] for place in places] == [f"{number} 0 obj".encode() for number in range(1, 7)]


def test_texts_and_pictures_of_the_card_are_in_it() -> None:
    assert b"(SITI \\(RAHMA\\) WATI) Tj" in PDF
    assert b"/MediaBox [0 0 242.65 153.01]" in PDF
    assert portrait() in PDF
    assert PDF.count(b" Do Q") == 2
