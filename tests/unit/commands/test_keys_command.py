"""print-station keys: masters are made once and inside; check says what is wrong at which lane; no PIN on a command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli import main
from controller.conditions import CONDITIONS
from hwsim.devices.chip_keys import MASTERS as SYNTHETIC
from tests.fakes.token import LABEL, MODULE, PIN, SoftToken, fresh

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "examples" / "station.toml").read_text(encoding="utf-8")
SAM = r"(, |^)sam = {[^}]*}"


token = pytest.fixture(fresh)


@pytest.fixture
def config(tmp_path: Path, token: SoftToken) -> str:
    """A station.toml with that token."""
    return str(write_config(tmp_path, token))


def write_config(folder: Path, token: SoftToken, chip: str = "ektp") -> Path:
    holder = f'kind = "pkcs11"\nmodule = "{MODULE}"\ntoken = "{LABEL}"\npin_file = "{token.pin_file}"\n'
    start, end = EXAMPLE.index('kind = "pcsc"'), EXAMPLE.index("[front_panel]\n")
    text = (EXAMPLE[:start] + holder + EXAMPLE[end:]).replace('state_dir = "build/run/state"', f'state_dir = "{folder}"')
    path = folder / "station.toml"
    path.write_text(
        re.sub(SAM, "", text, flags=re.MULTILINE).replace('profile = "ektp"', f'profile = "{chip}"'), encoding="utf-8"
    )
    return path


def test_init_makes_the_masters_and_check_finds_them(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init", "--config", config]) == 0
    assert main(["keys", "check", "--config", config]) == 0
    said = capsys.readouterr().out
    assert said.count("made inside, never to leave") == 2
    assert "desk (ektp, icao): good" in said


def test_a_second_init_changes_nothing(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "init", "--config", config])
    assert main(["keys", "init", "--config", config]) == 0
    assert capsys.readouterr().out.count("was there already, nothing changed") == 2


def test_synthetic_masters_are_said_loudly(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init", "--synthetic", str(SYNTHETIC), "--config", config]) == 0
    assert main(["keys", "check", "--config", config]) == 0
    assert capsys.readouterr().out.count("SYNTHETIC: everybody knows this key") == 2


def test_a_file_that_holds_no_masters_is_refused(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init", "--synthetic", config, "--config", config]) == 1
    assert "is no file of synthetic masters (KeyError)" in capsys.readouterr().err


def test_check_without_masters_fails_at_the_lane(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "check", "--config", config]) == 1
    said = capsys.readouterr().err
    assert f"lane 1 (ektp, icao): {CONDITIONS['sam_refused'].id}\n    {CONDITIONS['sam_refused'].en}\n" in said
    assert "    [sam_refused: the token has no 3-key 3DES keys" in said


def test_a_wrong_pin_is_told_and_only_a_person_lets_it_be_tried_again(
    config: str, token: SoftToken, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keys", "init", "--config", config])
    token.write_pin("0000")
    assert main(["keys", "check", "--config", config]) == 1
    assert capsys.readouterr().err.count("[sam_locked: token 'perso' refuses the PIN of ") == 1  # not once more for each lane
    token.write_pin(PIN)
    assert main(["keys", "check", "--config", config]) == 1
    assert "was given a wrong PIN since its last login" in capsys.readouterr().err
    assert main(["keys", "check", "--once-more", "--config", config]) == 0
    assert main(["keys", "check", "--config", config]) == 0


def test_a_wrong_pin_is_remembered_beside_the_journal_until_a_person_has_corrected_it(
    config: str, token: SoftToken, tmp_path: Path
) -> None:
    main(["keys", "init", "--config", config])
    token.write_pin("0000")
    main(["keys", "check", "--config", config])
    assert len(list(tmp_path.glob("refused-pin-*"))) == 1
    token.write_pin(PIN)
    assert main(["keys", "check", "--once-more", "--config", config]) == 0
    assert not list(tmp_path.glob("refused-pin-*"))


def test_once_more_forgets_nothing_of_other_key_holders(config: str, token: SoftToken, tmp_path: Path) -> None:
    main(["keys", "init", "--config", config])
    other = tmp_path / "refused-pin-0123456789abcdef"
    other.write_bytes(b"another holder's")
    token.write_pin("0000")
    assert main(["keys", "check", "--config", config]) == 1
    assert main(["keys", "check", "--once-more", "--config", config]) == 1
    assert (other.read_bytes(), len(list(tmp_path.glob("refused-pin-*")))) == (b"another holder's", 2)


def test_init_with_a_wrong_pin_says_what_to_do_in_both_languages(
    config: str, token: SoftToken, capsys: pytest.CaptureFixture[str]
) -> None:
    token.write_pin("0000")
    assert main(["keys", "init", "--config", config]) == 1
    assert f"keys init: {CONDITIONS['sam_locked'].id}\n    {CONDITIONS['sam_locked'].en}\n    [sam_locked: " in (
        capsys.readouterr().err
    )


def test_keys_are_not_made_in_a_sam_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init", "--config", str(ROOT / "examples" / "station.toml")]) == 1
    assert 'keys are made only in a token (kind = "pkcs11")' in capsys.readouterr().err


def test_there_is_no_option_for_a_pin(config: str) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "check", "--pin", PIN, "--config", config])


@pytest.mark.parametrize(("chip", "mechanism"), [("ektp", "CKM_DES3_ECB_ENCRYPT_DATA"), ("gp-scp03", "CKM_AES_ECB")])
def test_a_mechanism_that_the_token_lacks_is_named(tmp_path: Path, chip: str, mechanism: str) -> None:
    token = SoftToken(tmp_path, without=mechanism)  # SoftHSM reads this once in a process
    config = write_config(tmp_path, token, chip)
    for verb in ("init", "check"):
        done = subprocess.run([sys.executable, "-m", "controller", "keys", verb, "--config", str(config)],
                              env=dict(os.environ), cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
    token.restore()
    assert done.returncode == 1
    assert f"lacks a mechanism that '{'icao' if chip == 'ektp' else 'scp03'}' needs: {mechanism}]\n" in done.stderr
