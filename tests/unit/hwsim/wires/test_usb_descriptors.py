"""A printer's descriptors, byte for byte, and the standard requests answered from them."""

from __future__ import annotations

import pytest

from hwsim.wires.usb_descriptors import ConfigurationShape, identity, printer_descriptors, shape
from hwsim.wires.usb_device import Setup, Stall, StandardRequests
from tests.unit.hwsim.wires.usbip_host import Printer

MADE = printer_descriptors(0x0F49, 0x0A01, "SN1", "Ev", "Primacy", max_packet=64)


def standard() -> StandardRequests:
    return StandardRequests(Printer())


def test_the_device_descriptor_is_that_of_usb_2() -> None:
    assert MADE.device.hex(" ") == "12 01 00 02 00 00 00 40 49 0f 01 0a 00 01 01 02 03 01"


def test_the_configuration_holds_one_printer_interface_with_two_bulk_endpoints() -> None:
    assert MADE.configuration.hex(" ") == (
        "09 02 20 00 01 01 00 c0 00 09 04 00 00 02 07 01 02 00 07 05 01 02 40 00 00 07 05 82 02 40 00 00"
    )


def test_strings_are_utf_16_with_their_length() -> None:
    assert [MADE.strings[n].hex(" ") for n in (0, 1, 3)] == ["04 03 09 04", "06 03 45 00 76 00", "08 03 53 00 4e 00 31 00"]


def test_a_string_too_long_for_its_length_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="127 units is over the limit of 126"):
        printer_descriptors(1, 2, "x" * 127, "", "")


@pytest.mark.parametrize(("out_ep", "in_ep"), [(0x81, 0x82), (0x01, 0x02)])
def test_an_endpoint_pointing_the_wrong_way_is_refused(out_ep: int, in_ep: int) -> None:
    with pytest.raises(ValueError, match="wrong way"):
        printer_descriptors(1, 2, "", "", "", out_ep=out_ep, in_ep=in_ep)


def test_what_was_built_can_be_read_again() -> None:
    found = shape(MADE.configuration)
    assert found == ConfigurationShape(1, True, ((7, 1, 2),), frozenset({0x01, 0x82}))
    assert identity(MADE.device).release == 0x0100


@pytest.mark.parametrize(
    ("setup", "answer"),
    [
        (Setup(0x80, 6, 0x0100, 0, 18), Printer().descriptor(1, 0, 0)),
        (Setup(0x80, 6, 0x0303, 0x0409, 255), b"\x10\x03" + "SIM0001".encode("utf-16-le")),
        (Setup(0x80, 8, 0, 0, 1), b"\x01"),
        (Setup(0x80, 0, 0, 0, 2), b"\x01\x00"),
        (Setup(0x81, 0, 0, 0, 2), b"\x00\x00"),
        (Setup(0x82, 0, 0, 0x82, 2), b"\x00\x00"),
        (Setup(0x81, 10, 0, 0, 1), b"\x00"),
        (Setup(0x01, 11, 0, 0, 0), b""),
        (Setup(0x00, 5, 9, 0, 0), b""),
    ],
)
def test_a_standard_request_is_answered_from_the_descriptors(setup: Setup, answer: bytes) -> None:
    assert standard().answer(setup) == answer


@pytest.mark.parametrize(
    "setup",
    [
        Setup(0x80, 6, 0x0600, 0, 10),  # device qualifier
        Setup(0x80, 6, 0x0309, 0, 255),  # a string there is not
        Setup(0x80, 6, 0x0201, 0, 9),  # a second configuration
        Setup(0x00, 9, 2, 0, 0),  # choosing it
        Setup(0x01, 11, 1, 0, 0),  # an alternate setting
        Setup(0x01, 11, 0, 1, 0),  # a second interface
        Setup(0x82, 0, 0, 0x83, 2),  # status of an endpoint there is not
        Setup(0x02, 1, 0, 0x83, 0),  # clearing it
        Setup(0x02, 1, 1, 0x82, 0),  # clearing something else
        Setup(0x00, 3, 1, 0, 0),  # remote wake-up
        Setup(0x82, 12, 0, 0x82, 2),  # synch frame
    ],
)
def test_what_the_device_does_not_have_stalls(setup: Setup) -> None:
    with pytest.raises(Stall):
        standard().answer(setup)


def test_a_halted_endpoint_says_so_until_it_is_cleared() -> None:
    requests = standard()
    requests.halt(0x82)
    assert requests.answer(Setup(0x82, 0, 0, 0x82, 2)) == b"\x01\x00"
    requests.answer(Setup(0x02, 1, 0, 0x82, 0))
    assert requests.answer(Setup(0x82, 0, 0, 0x82, 2)) == b"\x00\x00"


def test_choosing_the_configuration_clears_halts_and_tells_the_device() -> None:
    printer = Printer()
    requests = StandardRequests(printer)
    requests.halt(0x01)
    requests.answer(Setup(0x00, 9, 1, 0, 0))
    assert (requests.halted(0x01), printer.calls) == (False, ["configured"])


def test_without_a_configuration_there_are_no_endpoints() -> None:
    requests = standard()
    requests.answer(Setup(0x00, 9, 0, 0, 0))
    assert (requests.answer(Setup(0x80, 8, 0, 0, 1)), requests.has(0x01)) == (b"\x00", False)
