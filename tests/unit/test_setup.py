"""A station.toml together with the printer profiles it names: ribbons, ports, pins and rests that must fit them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.errors import ConfigError
from controller.setup import Setup, read_setup
from tools.wiring import with_lanes

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "examples" / "station.toml").read_text(encoding="utf-8")
PRINTER = 'profile = "evolis-primacy", usb = "usbip://127.0.0.1:3240", serial = "SIM-E-0001" }'
PINS = EXAMPLE[EXAMPLE.index('gpio = "pigpiod') : EXAMPLE.index("[desk_reader]")]


EJECTING = """
format = 2
extends = "evolis-primacy"
plan = "ejecting"
[acts]
print = []
to_chip_station = []
deliver = []
print_and_deliver = ["Pneab;A;0", "Ss", "Sr", "@panels", "@back", "Se"]
[confidence]
acts = { level = "E", source = "for this test" }
"acts.print" = { level = "E", source = "for this test" }
"acts.to_chip_station" = { level = "E", source = "for this test" }
"acts.deliver" = { level = "E", source = "for this test" }
"""


def setup(folder: Path, text: str) -> Setup:
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return read_setup(path)


def mistakes(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        setup(folder, text)
    return {problem.place: problem.en for problem in caught.value.problems}


def printer(**keys: str) -> str:
    """The example with more keys in lanes.printer, as TOML writes their values."""
    more = "".join(f", {key} = {value}" for key, value in keys.items())
    return EXAMPLE.replace(PRINTER, PRINTER.replace(" }", f"{more} }}"))


def by_hand(text: str = EXAMPLE) -> str:
    """The example with a printer that a person feeds."""
    return text.replace("evolis-primacy", "magicard-enduro").replace(PINS, "")


def test_a_lane_prints_with_the_ribbon_of_the_profile_unless_it_says_another(tmp_path: Path) -> None:
    plain, other = setup(tmp_path, EXAMPLE).lanes[0], setup(tmp_path, printer(ribbon='"ymckok"')).lanes[0]
    assert (plain.printer.ribbon, len(plain.raster.panels)) == ("ymcko", 5)
    assert (other.printer.ribbon, [panel.side for panel in other.raster.panels][-1]) == ("ymckok", "back")


def test_a_ribbon_the_profile_does_not_have_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, printer(ribbon='"ymcko-half"'))
    assert "has no ribbon 'ymcko-half'; there are: ymcko" in found["lanes[0].printer.ribbon"]


def test_a_lane_may_rest_otherwise_than_its_profile(tmp_path: Path) -> None:
    lane = setup(tmp_path, printer(cool_down="{ cards = 100, rest_s = 600 }")).lanes[0]
    assert lane.cool_down == (100, 600)
    assert setup(tmp_path, EXAMPLE).lanes[0].cool_down == (0, 0)


def test_a_colour_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, printer(icc=f'"{tmp_path}/none.icc"'))
    assert "none.icc: cannot be read" in found["lanes[0].printer.icc"]


def test_a_lane_that_is_fed_by_hand_needs_no_pins(tmp_path: Path) -> None:
    lane = setup(tmp_path, by_hand()).lanes[0]
    assert (lane.printer.plan, lane.table.gpio, lane.table.pins) == ("external", None, None)


def test_any_other_lane_is_refused_without_them(tmp_path: Path) -> None:
    found = mistakes(tmp_path, EXAMPLE.replace(PINS, ""))
    assert set(found) == {"lanes[0].gpio", "lanes[0].pins"}
    assert found["lanes[0].pins"] == "is required: only a lane whose printer is fed by hand has no pins."


def test_a_printer_that_ejects_as_it_prints_wants_a_desk_reader(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "firmware_profiles", tmp_path / "profiles")
    (tmp_path / "profiles" / "printers" / "one-act.toml").write_text(EJECTING, encoding="utf-8")
    text = EXAMPLE.replace('"evolis-primacy"', '"one-act"').replace(
        "[station]", f'[station]\nprofiles_dir = "{tmp_path / "profiles"}"', 1
    )
    assert setup(tmp_path, text).lanes[0].printer.plan == "ejecting"
    without = text[: text.index("[desk_reader]")] + text[text.index("[", text.index("[desk_reader]") + 1) :]
    assert "the printer of lane 1 (lanes[0]) ejects each card as it prints it" in mistakes(tmp_path, without)["desk_reader"]


def test_two_printers_that_usb_does_not_tell_apart_need_their_ports(tmp_path: Path) -> None:
    two = with_lanes(EXAMPLE, 2)
    found = mistakes(tmp_path, by_hand(two.replace(PINS, "").replace(PINS.replace("8888", "8889"), "")))
    assert "lane 1 has such a printer too" in found["lanes[1].printer.port"]


def enduro_at_a_port_and(profile: str) -> str:
    two = by_hand(with_lanes(EXAMPLE, 2).replace(PINS, "").replace(PINS.replace("8888", "8889"), ""))
    first, name, second = two.partition('"magicard-enduro"')
    return first + name + ', port = "1-1"' + second.replace("magicard-enduro", profile)


def test_a_lane_without_a_port_may_not_take_the_printer_of_one_that_has_its_port(tmp_path: Path) -> None:
    """An Opera's product number is not known, so any of the maker's is taken for one."""
    found = mistakes(tmp_path, enduro_at_a_port_and("magicard-opera"))
    assert list(found) == ["lanes[1].printer.port"]


def test_models_with_their_own_product_numbers_need_no_port(tmp_path: Path) -> None:
    assert len(setup(tmp_path, enduro_at_a_port_and("magicard-alto")).lanes) == 2


def test_one_port_has_one_printer(tmp_path: Path) -> None:
    found = mistakes(tmp_path, with_lanes(printer(port='"1-1.2"'), 2))
    assert found["lanes[1].printer.port"] == "port '1-1.2' is also lanes[0].printer.port; a port has one printer."


@pytest.mark.parametrize("port", ["", "1", "1.2", "a-1", "1-1.", "1-1.2.3.4.5.6.7.8", "../1-1"])
def test_what_is_no_port_path_is_refused(tmp_path: Path, port: str) -> None:
    assert "lanes[0].printer.port" in mistakes(tmp_path, printer(port=f'"{port}"'))


def test_a_mistake_in_a_profile_is_told_under_the_key_that_names_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "firmware_profiles", tmp_path / "profiles")
    (tmp_path / "profiles" / "printers" / "loop.toml").write_text('format = 2\nextends = "loop"\n')
    text = EXAMPLE.replace("evolis-primacy", "loop").replace("max_remakes", f'profiles_dir = "{tmp_path}/profiles"\nmax_remakes')
    assert mistakes(tmp_path, text) == {"lanes[0].printer.profile -> loop.toml: extends": "goes round in a circle: loop -> loop"}


TOKEN = 'kind = "pkcs11"\nmodule = "/usr/lib/softhsm/libsofthsm2.so"\ntoken = "perso"\npin_credential = "pin"\n'
OWN_SAM = "is required: with a key_holder of kind 'pcsc' {} needs a SAM card of its own."
SAMS = re.compile(r"(, |^)sam = {[^}]*}", re.MULTILINE)


def with_token(text: str = EXAMPLE) -> str:
    """The example with a token instead of SAM cards."""
    return SAMS.sub("", re.sub(r'(?m)^kind = "pcsc".*\n', TOKEN, text))


def test_a_token_serves_every_lane(tmp_path: Path) -> None:
    assert len(setup(tmp_path, with_token(with_lanes(EXAMPLE, 2))).lanes) == 2


def test_chips_that_want_keys_need_a_key_holder(tmp_path: Path) -> None:
    without = SAMS.sub("", re.sub(r'(?m)^\[key_holder\].*\nkind = "pcsc".*\n', "", EXAMPLE))
    assert mistakes(tmp_path, without) == {"key_holder": "is required: the chips 'ektp' of lane 1 want keys."}


def test_a_lane_without_its_sam_card_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, EXAMPLE.replace(', sam = { name = "hw-sim lane 1 00 01" }', ""))
    assert found == {"lanes[0].reader.sam": OWN_SAM.format("lane 1")}


def test_a_desk_reader_without_its_sam_card_is_refused(tmp_path: Path) -> None:
    found = mistakes(tmp_path, EXAMPLE.replace('sam = { name = "hw-sim desk 00 01" }\n', ""))
    assert found == {"desk_reader.sam": OWN_SAM.format("the desk reader")}


def test_a_sam_card_beside_a_token_is_refused(tmp_path: Path) -> None:
    text = re.sub(r'(?m)^kind = "pcsc".*\n', TOKEN, EXAMPLE)
    assert set(mistakes(tmp_path, text)) == {"lanes[0].reader.sam", "desk_reader.sam"}


def on_the_lane(profile: str, text: str = EXAMPLE) -> str:
    """The example with other chips on its lane."""
    return text.replace('name = "hw-sim lane 1 00 00", profile = "ektp"', f'name = "hw-sim lane 1 00 00", profile = "{profile}"')


def on_the_desk(profile: str, text: str = EXAMPLE) -> str:
    """The example with other chips on its desk reader."""
    return text.replace('name = "hw-sim desk 00 00"\nprofile = "ektp"', f'name = "hw-sim desk 00 00"\nprofile = "{profile}"')


@pytest.mark.parametrize(("place", "put"), [("lanes[0].reader.profile", on_the_lane), ("desk_reader.profile", on_the_desk)])
def test_scp03_takes_a_token(tmp_path: Path, place: str, put: Callable[[str], str]) -> None:
    found = mistakes(tmp_path, put("gp-scp03"))
    assert found == {place: "chips 'gp-scp03' speak SCP03, which takes a key_holder of kind 'pkcs11'."}
    assert setup(tmp_path, with_token(put("gp-scp03"))).lanes


def plain_lane(folder: Path, text: str = EXAMPLE) -> str:
    """The example whose lane has chips that want neither keys nor a signature."""
    shutil.copytree(ROOT / "firmware_profiles", folder / "profiles")
    plain = (ROOT / "firmware_profiles/chips/ektp.toml").read_text(encoding="utf-8")
    for old, new in (
        (r'name = "ektp"', 'name = "plain"'), (r'kind = "icao".*', 'kind = "none"'), (r"card_control = .*", ""),
        (r"signature = 0x6FF6.*", ""), (r'\[\[steps\]\]\nphase = "\w+"\ndo = "authenticate".*\n', ""),
    ):  # fmt: skip
        plain, times = re.subn(f"(?m)^{old}", new, plain)
        assert times
    (folder / "profiles/chips/plain.toml").write_text(plain, encoding="utf-8")
    text = on_the_lane("plain", text).replace("max_remakes", f'profiles_dir = "{folder}/profiles"\nmax_remakes')
    return text.replace(', sam = { name = "hw-sim lane 1 00 01" }', "")


def test_a_desk_readers_chips_want_a_key_holder_and_a_believed_signature_too(tmp_path: Path) -> None:
    text = plain_lane(tmp_path)
    text = SAMS.sub("", re.sub(r'(?m)^\[key_holder\].*\nkind = "pcsc".*\n', "", text))
    text = re.sub(r"(?m)^\[\[chip_keys\]\].*\nkid.*\npublic_key.*\n", "", text)
    assert mistakes(tmp_path, text) == {
        "key_holder": "is required: the chips 'ektp' of the desk reader want keys.",
        "chip_keys": "is required: the contents of ektp chips are signed by the centre.",
    }
    assert setup(tmp_path, on_the_desk("plain", text)).lanes
