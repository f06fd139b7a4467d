"""Stations for the scenarios: real daemon, real hw-sim and real pcscd, each scenario inside `tools/sandbox`.

A module uses one of two fixtures, never both, because the ports of the examples are fixed: `scene` is a running station that
the module's scenarios share, `new_scene` makes a station of the test's own. Either way belief and truth are compared when the
test is over.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.scenario.scene import NewScene, Scene
from tools.pcscd import SANDBOX_VARIABLE

HERE = Path(__file__).parent
WENT_WELL = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside the sandbox there is no hardware to speak of."""
    if SANDBOX_VARIABLE in os.environ:
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason="sandbox"))


@pytest.fixture(scope="module")
def shared_scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One running station for a whole module, which may say what it differs in: SPEED, EDITS, LANES, EJECTS (see `Scene`)."""
    named = {name.lower(): value for name, value in vars(request.module).items() if name in ("SPEED", "EDITS", "LANES", "EJECTS")}
    scene = Scene(tmp_path_factory.mktemp("shared"), **named)
    with scene.rig:
        yield scene.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test itself went well: a scenario that broke off need not agree as well."""
    report = yield
    if report.when == "call":
        item.stash[WENT_WELL] = report.passed
    return report


@pytest.fixture
def scene(request: pytest.FixtureRequest, shared_scene: Scene) -> Iterator[Scene]:
    """The module's station with a full hopper."""
    yield shared_scene
    if request.node.stash.get(WENT_WELL, False):
        shared_scene.must_agree()


@pytest.fixture
def new_scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewScene]:
    """Makes one station for this test; it is compared with the truth at the end, and ended."""
    made: list[Scene] = []

    def make(*, speed: str = "max", edits: dict[str, str] | None = None) -> Scene:
        assert not made, "one station at a time: the ports are fixed"
        made.append(Scene(tmp_path, speed=speed, edits=edits))
        return made[0]

    try:
        yield make
        if request.node.stash.get(WENT_WELL, False):
            for scene in made:
                scene.must_agree()
    finally:
        for scene in made:
            scene.rig.close()
