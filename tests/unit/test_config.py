"""station.toml: every mistake at once, each with its place and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.config import load_config, parse_config
from controller.config_tables import TokenTable
from controller.errors import ConfigError, Problem
from tools.wiring import with_lanes

EXAMPLE = (Path(__file__).parents[2] / "examples" / "station.toml").read_text(encoding="utf-8")


def _mistakes(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as refused:
        parse_config(text)
    return refused.value.problems


def test_the_example_is_good() -> None:
    lane = parse_config(EXAMPLE).lanes[0]
    assert lane.pins is not None
    assert (lane.pins.feed_beam, lane.printer.port, lane.printer.cool_down) == (5, None, None)


def test_five_mistakes_are_told_in_one_go() -> None:
    text = (
        EXAMPLE.replace("max_remakes = 1", "max_remakes = 99")
        .replace('gpio = "pigpiod://127.0.0.1:8888"\n[lanes.pins]', 'gpio = "bluetooth"\n[lanes.pins]')
        .replace("feed_beam = 5", "feed_beam = 28")
        .replace("baud = 9600", "bauds = 9600")
        .replace('usb = "usbip://127.0.0.1:3240"', 'usb = "usbip://nowhere"')
    )
    places = [problem.place for problem in _mistakes(text)]
    assert places == ["station.max_remakes", "lanes[0].printer.usb", "lanes[0].gpio", "lanes[0].pins.feed_beam", "display.bauds"]


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    assert "did you mean 'baud'" in _mistakes(EXAMPLE.replace("baud = 9600", "bauds = 9600"))[0].en


def test_a_missing_table_is_named() -> None:
    problem = _mistakes(EXAMPLE.replace("[display]", "[displays]").replace("[[centre_keys]]", "[[centre_key]]"))
    assert {"display", "displays", "centre_keys", "centre_key"} == {mistake.place for mistake in problem}


def test_a_pin_used_twice_on_one_bank_is_refused() -> None:
    problem = _mistakes(EXAMPLE.replace("hold = 27", "hold = 5"))[0]
    assert (problem.place, "also lanes[0].pins.feed_beam" in problem.en) == ("front_panel.pins.hold", True)


def test_the_same_pin_on_another_bank_is_fine() -> None:
    text = EXAMPLE.replace("hold = 27", "hold = 5").replace(
        '[front_panel]\ngpio = "pigpiod://127.0.0.1:8888"', '[front_panel]\ngpio = "lgpio"'
    )
    assert parse_config(text).front_panel.pins.hold == 5


def test_two_lanes_may_not_share_a_printer_or_a_reader() -> None:
    lane = EXAMPLE[EXAMPLE.index("[[lanes]]") : EXAMPLE.index("[desk_reader]")]
    second = lane.replace('name = "1"', 'name = "2"').replace(":8888", ":8889")
    places = {problem.place for problem in _mistakes(EXAMPLE.replace(lane, lane + second))}
    assert places == {"lanes[].printer.serial", "lanes[].reader.name"}


def test_the_desk_may_not_share_a_lanes_reader() -> None:
    assert _mistakes(EXAMPLE.replace("hw-sim desk 00 00", "hw-sim lane 1 00 00"))[0].place == "lanes[].reader.name"


def test_a_desk_reader_is_optional() -> None:
    start, end = EXAMPLE.index("[desk_reader]"), EXAMPLE.index("[front_panel]")
    assert parse_config(EXAMPLE[:start] + EXAMPLE[end:]).desk_reader is None


def test_seven_lanes_and_a_desk_fill_the_readers_that_pcscd_can_show() -> None:
    assert len(parse_config(with_lanes(EXAMPLE, 7)).lanes) == 7


def test_readers_that_pcscd_would_not_show_are_refused() -> None:
    problem = _mistakes(with_lanes(EXAMPLE, 8))[0]
    assert (problem.place, "9 readers take 18 slots, and pcscd shows 16" in problem.en) == ("desk_reader.name", True)


def test_readers_with_one_slot_each_leave_room() -> None:
    text = with_lanes(EXAMPLE, 8).replace('00 00", profile', '00 00", slots = 1, profile')
    assert parse_config(text).lanes[7].reader.slots == 1


@pytest.mark.parametrize("address", ["0.0.0.0:8631", "192.168.1.5:8631", "8631"])
def test_http_listens_on_loopback_and_unix_sockets_only(address: str) -> None:
    assert _mistakes(EXAMPLE.replace("127.0.0.1:8631", address))[0].place == "http.listen[1]"


@pytest.mark.parametrize(("old", "place"), [(":3240", "lanes[0].printer.usb"), ("127.0.0.1:8631", "http.listen[1]")])
def test_a_port_beyond_65535_is_refused(old: str, place: str) -> None:
    problem = _mistakes(EXAMPLE.replace(old, old.rpartition(":")[0] + ":99999"))[0]
    assert (problem.place, "99999 is not between" in problem.en) == (place, True)


def test_an_ipv6_host_is_an_address() -> None:
    assert (
        parse_config(EXAMPLE.replace("usbip://127.0.0.1:3240", "usbip://[::1]:3240")).lanes[0].printer.usb == "usbip://[::1]:3240"
    )


def test_broken_toml_says_where() -> None:
    assert "line 2" in _mistakes("a = 1\nb = = 2")[0].en


@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "9" * 5_000, "a." * 2_000 + "a = 1"])
def test_toml_that_nobody_could_read_is_a_mistake_like_any_other(text: str) -> None:
    assert "is not valid TOML" in _mistakes(text)[0].en


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "address", ["gpio", "LGPIO", "pigpiod://", "pigpiod://pi", "pigpiod://:8888", "pigpiod://pi:x", "tcp://pi:8888"]
)
def test_what_is_no_pin_address_is_named_with_its_place(address: str) -> None:
    text = EXAMPLE.replace('[front_panel]\ngpio = "pigpiod://127.0.0.1:8888"', f'[front_panel]\ngpio = "{address}"')
    assert [problem.place for problem in _mistakes(text)] == ["front_panel.gpio"]


TOKEN = '[key_holder]\nkind = "pkcs11"\nmodule = "/usr/lib/libhsm.so"\ntoken = "perso"\n'
WITHOUT_HOLDER = re.sub(r'(?m)^\[key_holder\].*\nkind = "pcsc".*\n', "", EXAMPLE)


@pytest.mark.parametrize("pin", ['pin_file = "/etc/pin"\n', 'pin_credential = "pin"\n'])
def test_a_token_takes_its_pin_from_a_file_or_a_credential(pin: str) -> None:
    assert isinstance(parse_config(WITHOUT_HOLDER + TOKEN + pin).key_holder, TokenTable)


@pytest.mark.parametrize(("more", "place", "word"), [
    ("", "key_holder", "pin_file or pin_credential is required"),
    ('pin_file = "/a"\npin_credential = "b"\n', "key_holder", "not both"),
    ('pin = "1234"\n', "key_holder.pin", "unknown key"),
    ('pin_file = "/a"\nmodul = "x"\n', "key_holder.modul", "did you mean 'module'"),
])  # fmt: skip
def test_a_tokens_table_with_a_mistake_is_refused(more: str, place: str, word: str) -> None:
    problem = _mistakes(WITHOUT_HOLDER + TOKEN + more)[0]
    assert (problem.place, word in problem.en) == (place, True)


def test_another_kind_of_key_holder_is_refused() -> None:
    assert "'pcsc', 'pkcs11'" in _mistakes(WITHOUT_HOLDER + '[key_holder]\nkind = "hsm"\n')[0].en


def test_two_readers_may_not_share_a_sam() -> None:
    assert _mistakes(EXAMPLE.replace("hw-sim desk 00 01", "hw-sim lane 1 00 01"))[0].place == "lanes[].reader.name"
