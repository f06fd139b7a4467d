"""hw-sim.toml, profiles and --speed: what is right is read, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.clock import Clock
from hwsim.config import SimConfig, load_config
from hwsim.devices.chip_keys import MASTERS, load_masters
from hwsim.errors import SimError
from hwsim.profiles import PROFILES, load_chip, load_printer

EXAMPLE = Path("examples/hw-sim.toml")


def changed(tmp_path: Path, old: str, new: str) -> SimConfig:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "hw-sim.toml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return load_config(file)


def test_the_example_is_right() -> None:
    config = load_config(EXAMPLE)
    assert [lane.busid for lane in config.lanes] == ["1-1"]
    assert (config.usbip.port, config.front_panel.pins["go"]) == (3240, 17)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 1", "seeds = 1", "seeds is not known"),
        ("seed = 1", 'seed = "1"', "seed must be a whole number, not '1'"),
        ("127.0.0.1:3240", "3240", "usbip must be HOST:PORT"),
        ("127.0.0.1:3240", "127.0.0.1:70000", "usbip must be HOST:PORT"),
        ('name = "1"', "name = 1", r"lanes\[0\].name must be a text"),
        ("exit_beam = 6", "exit_beam = 5", "lane '1': pin 5 is used twice"),
        ("go = 17", "go = 5", "lane '1': pin 5 is used twice"),
        ("exit_beam = 6", "exit_beam = 28", "exit_beam must be a pin from 0 to 27"),
        (", exit_beam = 6", "", "exit_beam is missing"),
        ("capacity = 100, blanks = 0", "capacity = 5, blanks = 6", "needs blanks <= capacity"),
        ("bin = { capacity = 100 }", "bin = { capacity = 0 }", "bin.capacity must be 1 or more"),
        ('lane = "1"', 'lane = "2"', "there is no lane '2'"),
        ("127.0.0.1:8888", "127.0.0.1:3240", "address 127.0.0.1:3240 is used twice"),
        ("[[lanes]]", "[lanes]", "lanes must be a list"),
        ("seed = 1", "seed = ", "is not TOML"),
        (
            'busid = "1-1"',
            'busid = "1-1", card_at_power_on = "eats"',
            "card_at_power_on must be one of holds, ejects, not 'eats'",
        ),
        ("127.0.0.1:35977", "127.0.0.1:35963", "address 127.0.0.1:35963 is used twice"),
        ('vpcd = "127.0.0.1:35977" ', "", r"desk_reader\.vpcd is missing"),
        ('name = "1"', 'name = "desk"', "a lane cannot be called 'desk'"),
        ("rf_kbit = 424", "rf_kbit = 100", r"chip\.rf_kbit must be one of 106, 212, 424, 848, not 100"),
        ("rf_kbit = 424", 'uid_type = "c"', r"chip\.uid_type must be one of a, b, not 'c'"),
        ("127.0.0.1:35964", "127.0.0.1:35963", "address 127.0.0.1:35963 is used twice"),
        ('sam = { vpcd = "127.0.0.1:35964" }', 'sam = { vpcd = "h:1", blob = "zz" }', r"sam\.blob must be hex digits"),
        ('sam = { vpcd = "127.0.0.1:35964" }', 'sam = { vpcd = "h:1", blob = "00" }', r"sam\.blob must have 32 bytes, not 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(SimError, match=words):
        changed(tmp_path, old, new)


def test_a_desk_reader_may_be_missing_and_a_lane_may_say_what_power_on_does(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("[desk_reader]", "[other]")
    text = text.replace('busid = "1-1"', 'busid = "1-1", card_at_power_on = "ejects"')
    file = tmp_path / "hw-sim.toml"
    file.write_text(text[: text.index("[other]")] + text[text.index("[front_panel]") :], encoding="utf-8")
    config = load_config(file)
    assert (config.desk, config.lanes[0].card_at_power_on) == (None, "ejects")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimError, match=r"nothing\.toml cannot be read"):
        load_config(tmp_path / "nothing.toml")


@pytest.mark.parametrize("folder", ["printers", "chips"])
def test_every_profile_can_be_read(folder: str) -> None:
    for path in (PROFILES / folder).glob("*.toml"):
        (load_printer if folder == "printers" else load_chip)(path.stem)


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(SimError, match=r"no profile 'gold' in chips/; there are: .*ektp"):
        load_chip("gold")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("size_bytes = 576_072", "size_bytes = 592_368", "size_bytes must be 576072 for 7 bits a dot"),
        ("levels = 128", "levels = 100", "levels must be 2, 32, 64, 128 or 256"),
        ('family = "evolis"', 'family = "gold"', "family must be one of evolis, magicard"),
        ('card_inside = "holds"', 'card_inside = "eats"', "card_inside must be one of holds, ejects"),
        ("format = 2", "format = 1", "format must be 2"),
    ],
)
def test_a_wrong_printer_profile_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (PROFILES / "printers/evolis-primacy.toml").read_text(encoding="utf-8")
    (tmp_path / "printers").mkdir()
    (tmp_path / "printers/p.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SimError, match=words):
        load_printer("p", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 2", "format = 1", "format must be 2"),
        ('kind = "icao"', 'kind = "magic"', "channel.kind must be one of none, icao, scp03, not 'magic'"),
        ('kind = "icao"', 'kind = "scp03"\nsize = 12', "channel.size must be 8 or 16, not 12"),
        ('kind = "icao"', "", "channel.kind is missing"),
        ("00A40000027F0A", "00A4zz", "command must be hex digits"),
        ("00A4", "00B0", "none of them is a SELECT"),
        ('read = "channel"', 'read = "never"', "read must be one of free, channel, not 'never'"),
    ],
)
def test_a_wrong_chip_profile_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (PROFILES / "chips/ektp.toml").read_text(encoding="utf-8")
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips/c.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SimError, match=words):
        load_chip("c", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format must be 1"),
        ("6E6F74206120736563726574206D", "6E", "ektp.master must have 24 bytes"),
        ("6E6F74206120736563726574206B6579", "6E6F", "gp-scp03.master must have 16 or 24 or 32 bytes, not 2"),
        ("6E6F74206120736563726574206B6579", "secret", "gp-scp03.master must be hex digits"),
        ("version = 0x30", "version = 0x100", "version must be 1 to 255, not 256"),
        ("contoh-chip-2026.pub.pem", "nobody.pem", "centre_key: nobody.pem cannot be read"),
    ],
)
def test_wrong_master_keys_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = MASTERS.read_text(encoding="utf-8").replace(old, new)
    (tmp_path / "masters.toml").write_text(text, encoding="utf-8")
    (tmp_path / "contoh-chip-2026.pub.pem").write_bytes(b"")
    with pytest.raises(SimError, match=words):
        load_masters(tmp_path / "masters.toml")


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SimError, match="--speed must be a number above 0 or 'max'"):
        Clock.parse(text)


def test_speeds() -> None:
    assert (Clock.parse("max").speed, Clock.parse("2.5").speed) == (None, 2.5)
