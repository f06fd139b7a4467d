"""A station whose keys lie in one token (SoftHSM2): a lane of e-KTP chips beside one of GlobalPlatform chips, issuing cards whose
chips are read in hw-sim's world; and a token that cannot work, which is known before a blank is fed."""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.conditions import CONDITIONS
from hwsim.devices.chip_keys import MASTERS as SYNTHETIC
from tests.fakes.token import LABEL, MODULE, PIN, SoftToken
from tests.scenario.points import kill
from tests.scenario.scene import Json, Scene
from tools.pcscd import reader_name, sam_name, vpcd_port
from tools.rig import ROOT

WRONG_PIN = "000000"
OWN = 0x01  # version of a GlobalPlatform card's own keys
BLANKS = 30
BEATS = 4  # looks of a waiting lane; about one a second
LANES = ("1", "2")
SPIES = ("*/pkcs11-spy.so", "*/pkcs11/pkcs11-spy.so")  # OpenSC's, in /usr/lib: a module that writes down calls and hands them on


def _edits(token: SoftToken) -> dict[str, str]:
    """Both configurations for a token; lane 2 has GlobalPlatform chips."""
    spy = next(path for place in SPIES for path in Path("/usr/lib").glob(place))
    holder = f'kind = "pkcs11"\nmodule = "{spy}"\ntoken = "{LABEL}"\npin_file = "{token.pin_file}"\n'
    sams = {f', sam = {{ name = "{sam_name(lane)}" }}': "" for lane in (1, 2)}
    return sams | {
        'sam = { name = "hw-sim desk 00 01" }\n': "",
        'kind = "pcsc" ': f"{holder}#",
        f'"{reader_name(2)}", profile = "ektp"': f'"{reader_name(2)}", profile = "gp-scp03"',
        f'chip = {{ profile = "ektp", vpcd = "127.0.0.1:{vpcd_port(2)}"':
            f'chip = {{ profile = "gp-scp03", vpcd = "127.0.0.1:{vpcd_port(2)}"',
    }  # fmt: skip


def _with_masters(scene: Scene) -> Scene:
    done = scene.rig.command("keys", "init", "--synthetic", SYNTHETIC, "--config", scene.rig.config)
    assert done.returncode == 0, done.stderr
    return scene


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    folder = tmp_path_factory.mktemp("token")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PKCS11SPY", str(MODULE))
        environment.setenv("PKCS11SPY_OUTPUT", str(folder / "calls"))
        token = SoftToken(folder)
        yield token
        token.restore()


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory, token: SoftToken) -> Iterator[Scene]:
    """Two lanes, one token with both masters."""
    scene = _with_masters(Scene(tmp_path_factory.mktemp("shared"), edits=_edits(token), lanes=2))
    with scene.rig:
        yield scene.start(BLANKS)


def _card(scene: Scene, number: int) -> Json:
    """The card of an issued job."""
    uid = scene.job(number)["passages"][-1]["chip_uid"]
    found: Json = next(blank for blank in scene.world()["blanks"] if blank["uid"] == uid)
    return found


def test_cards_of_both_kinds_are_issued_under_keys_of_one_token(scene: Scene) -> None:
    for lane in LANES:
        scene.until_free(lane)
    fresh = {blank["lane"]: blank["chip"] for blank in scene.world()["blanks"]}
    numbers = scene.issue(6)
    made: dict[str, Json] = {}
    for number in numbers:
        record, card = scene.records[scene.job(number)["job"]["record_id"]], _card(scene, number)
        assert {fid: b64decode(card["chip"]["files"][fid]["raw"]) for fid in record["chip"]} == {
            fid: b64decode(text) for fid, text in record["chip"].items()
        }
        made[card["lane"]] = card["chip"]
    assert sorted(made) == ["1", "2"]
    ways = {lane: [(chip[lane]["life"], chip[lane]["key_versions"]) for chip in (fresh, made)] for lane in made}
    assert ways == {"1": [("03", []), ("05", [])], "2": [("07", []), ("0F", [OWN])]}


# What a kill leaves of a GlobalPlatform card

PUT_KEY, SET_STATUS = "D8 3081", "F0 400F"


@pytest.fixture
def only_lane_2(scene: Scene) -> Iterator[None]:
    """The cover of lane 1 is open meanwhile."""
    scene.rig.fault("cover_open")
    scene.until_waits("cover_open")
    scene.until_free("2")
    yield
    scene.rig.clear_triggers(lane="2")
    scene.rig.fault("cover_close")
    scene.until_free("1")


@pytest.mark.parametrize("label", [PUT_KEY, SET_STATUS])
def test_a_card_with_its_own_keys_is_reached_again_after_a_kill(scene: Scene, only_lane_2: None, label: str) -> None:
    scene.rig.trigger("apdu", 1, "after", [kill(scene)], lane="2", start=label)
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["chip whole"], [("good", "")])
    chip = _card(scene, number)["chip"]
    assert (chip["life"], chip["key_versions"]) == ("0F", [OWN])


# A token that cannot work


def _stock(scene: Scene) -> list[tuple[int, int]]:
    """Ribbon and blanks of each lane."""
    return [(lane["printer"]["ribbon"]["remaining"], lane["hopper"]) for lane in scene.world()["lanes"]]


def _until_said(scene: Scene, condition: str, detail: str, lanes: tuple[str, ...] = LANES) -> None:
    """Wait until these lanes say so, in both languages."""
    row = CONDITIONS[condition]
    for name in lanes:
        lane = scene.until_waits(condition, lane=name)
        assert (lane["condition_id"], lane["condition_en"]) == (row.id, row.en)
        assert detail in lane["detail"]


def _logins(token: SoftToken) -> int:
    """How often a PIN was ever tried, by the spy's word."""
    return (token.pin_file.parent / "calls").read_text(errors="replace").count("C_Login\n")


def _beats(scene: Scene) -> None:
    """GO is pressed, and the waiting lanes look again and again."""
    scene.press("go")
    scene.rig.exchanges(record=True)

    def looked() -> bool:
        wires = scene.rig.exchanges()
        return all(wires[lane]["labels"]["usb"].count("> Rlr;p") >= BEATS for lane in LANES)

    scene.rig.until(looked, "both lanes to look again and again")
    scene.rig.exchanges(record=False)


def test_a_token_that_is_not_there_is_waited_for(scene: Scene, token: SoftToken) -> None:
    scene.rig.stop_station()
    before = _stock(scene)
    token.unplug()
    scene.rig.start_station()
    _until_said(scene, "sam_absent", f"no token is named '{LABEL}'")
    (number,) = scene.submit()
    _beats(scene)
    assert (_stock(scene), scene.job(number)["passages"]) == (before, [])
    token.plug_in()
    scene.until_state("issued", number)


def test_a_wrong_pin_is_tried_once_and_never_again_without_a_person(scene: Scene, token: SoftToken) -> None:
    scene.rig.stop_station()
    before, logins = _stock(scene), _logins(token)
    token.write_pin(WRONG_PIN)
    scene.rig.start_station()
    (number,) = scene.submit()
    _until_said(scene, "sam_locked", "")
    _beats(scene)
    assert _logins(token) == logins + 1
    assert scene.rig.stop_station() == 0
    token.write_pin(PIN)
    scene.rig.start_station()
    _until_said(scene, "sam_locked", "was given a wrong PIN since its last login")
    _beats(scene)
    assert (_logins(token), _stock(scene), scene.job(number)["passages"]) == (logins + 1, before, [])
    checked = scene.rig.command("keys", "check", "--once-more", "--config", scene.rig.config)
    assert checked.returncode == 0, checked.stderr
    scene.until_state("issued", number)
    scene.until_free("1")
    scene.until_free("2")
    assert _logins(token) == logins + 3  # the person's, and the daemon's


FILES = {
    "readable by others": (0o440, "has mode 0440; give it to its owner alone: chmod 0400"),
    "missing": (None, "cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("trouble", FILES)
def test_a_pin_file_that_cannot_be_used_costs_no_try(scene: Scene, token: SoftToken, trouble: str) -> None:
    mode, detail = FILES[trouble]
    scene.rig.stop_station()
    before, logins = _stock(scene), _logins(token)
    token.pin_file.unlink() if mode is None else token.pin_file.chmod(mode)
    scene.rig.start_station()
    _until_said(scene, "sam_locked", detail)
    (number,) = scene.submit()
    _beats(scene)
    assert (_logins(token), _stock(scene), scene.job(number)["passages"]) == (logins, before, [])
    token.write_pin(PIN)
    scene.until_state("issued", number)


def test_a_mechanism_that_the_token_lacks_is_named_and_stops_the_lane_that_needs_it(scene: Scene, token: SoftToken) -> None:
    scene.rig.stop_station()
    before = _stock(scene)
    _mechanisms("-NONE,CKM_AES_CMAC")  # SoftHSM 2.6.1 overlooks the first of those it shall leave out
    scene.rig.start_station()
    _until_said(scene, "sam_refused", "lacks a mechanism that 'scp03' needs: CKM_AES_CMAC", lanes=("2",))
    numbers = scene.issue(2)
    assert [scene.job(number)["passages"][-1]["lane"] for number in numbers] == ["1", "1"]  # e-KTP chips need no CMAC
    assert _stock(scene)[1] == before[1]
    scene.rig.stop_station()
    _mechanisms("ALL")
    scene.rig.start_station()
    scene.until_free("2")


def _mechanisms(kept: str) -> None:
    config = Path(os.environ["SOFTHSM2_CONF"])
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"slots\.mechanisms = .*", f"slots.mechanisms = {kept}", text), encoding="utf-8")


# A key holder that does not fit the configuration's lanes

EXAMPLE = (ROOT / "examples" / "station.toml").read_text(encoding="utf-8")
HOLDER = EXAMPLE[EXAMPLE.index("[key_holder]") : EXAMPLE.index("[front_panel]")]
TOKEN = f'[key_holder]\nkind = "pkcs11"\nmodule = "{MODULE}"\ntoken = "{LABEL}"\npin_file = "/none"\n'
SAM, CHIPS = ', sam = { name = "hw-sim lane 1 00 01" }', 'lane 1 00 00", profile = "ektp"'
CONFIGS = {
    "no key holder": (
        (HOLDER, ""), "key_holder",
        "wajib diisi: chip 'ektp' jalur 1 memerlukan kunci", "is required: the chips 'ektp' of lane 1 want keys",
    ),
    "a lane without SAM card": (
        (SAM, ""), "lanes[0].reader.sam",
        "wajib diisi: key_holder berjenis 'pcsc'", "is required: with a key_holder of kind 'pcsc' lane 1 needs a SAM card",
    ),
    "a SAM card beside a token": (
        (HOLDER, TOKEN), "lanes[0].reader.sam",
        "hanya untuk key_holder berjenis 'pcsc'", "is only for a key_holder of kind 'pcsc'",
    ),
    "SCP03 with a SAM card": (
        (CHIPS, CHIPS.replace("ektp", "gp-scp03")), "lanes[0].reader.profile",
        "chip 'gp-scp03' memakai SCP03: perlu key_holder berjenis 'pkcs11'", "chips 'gp-scp03' speak SCP03, which takes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_key_holder_that_does_not_fit_is_said_before_the_station_runs(scene: Scene, tmp_path: Path, name: str) -> None:
    (old, new), place, said_id, said_en = CONFIGS[name]
    assert EXAMPLE.count(old) == 1
    path = tmp_path / "station.toml"
    path.write_text(EXAMPLE.replace(old, new), encoding="utf-8")
    checked, run = scene.rig.command("check-config", path), scene.rig.command("run", "--config", path)
    assert (checked.returncode, checked.stdout, run.returncode, run.stdout) == (1, "", 1, "")
    assert f"{place}: " in checked.stderr
    assert said_id in checked.stderr
    assert said_en in checked.stderr
    assert f"{place}: {said_en}" in run.stderr
