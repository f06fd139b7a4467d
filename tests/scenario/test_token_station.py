"""A station whose chips are GlobalPlatform's and whose keys lie in a token (SoftHSM2): one card, and what people ask about it."""

from __future__ import annotations

import pytest

from hwsim.devices.chip_keys import MASTERS as SYNTHETIC
from tests.fakes.token import LABEL, MODULE, SoftToken, fresh
from tests.scenario.scene import NewScene, Scene

token = pytest.fixture(fresh)


@pytest.fixture
def scene(token: SoftToken, new_scene: NewScene) -> Scene:
    """Not started: its token has no masters yet."""
    holder = f'kind = "pkcs11"\nmodule = "{MODULE}"\ntoken = "{LABEL}"\npin_file = "{token.pin_file}"\n'
    return new_scene(
        edits={
            'profile = "ektp"': 'profile = "gp-scp03"',
            ', sam = { name = "hw-sim lane 1 00 01" }': "",
            'sam = { name = "hw-sim desk 00 01" }\n': "",
            'kind = "pcsc" ': f"{holder}#",
        }
    )


def test_a_card_is_made_under_keys_of_the_token_and_found_good_on_the_desk(scene: Scene) -> None:
    config = scene.rig.config
    made = scene.rig.command("keys", "init", "--synthetic", SYNTHETIC, "--config", config)
    assert made.stdout.count("put in, SYNTHETIC; everybody knows it") == 2, made.stderr
    scene.start(blanks=3)
    (number,) = scene.issue()
    card = scene.job(number)["passages"][-1]["chip_uid"]
    chip = next(blank["chip"] for blank in scene.world()["blanks"] if blank["uid"] == card)
    assert (chip["life"], chip["key_versions"]) == ("0F", [1])
    scene.rig.put(card, "desk")
    assert "desk (gp-scp03, scp03): good" in scene.rig.command("keys", "check", "--config", config).stdout
    said = scene.rig.command("chip", "check", "--config", config)  # a token serves several programs
    assert said.returncode == 0, said.stderr
    assert "    GOOD: the chip is complete and closed, signed by the centre; " in said.stdout
    scene.rig.take("desk")
    scene.rig.put("new", "desk")
    scene.rig.stop_station()
    tried = scene.rig.command("chip", "wipe-test", "--yes", "--config", config)
    assert tried.returncode == 0, tried.stderr
    scene.rig.take("desk")
    scene.rig.start_station()


def test_without_masters_no_blank_is_fed(scene: Scene) -> None:
    scene.start(blanks=3)
    scene.submit()
    scene.until_waits("sam_refused")
    assert scene.there()["hopper"] == 3
    said = scene.rig.command("chip", "check", "--lane", "1", "--config", scene.rig.config)
    assert said.returncode == 1
    assert "[sam_refused: the token has no " in said.stderr
