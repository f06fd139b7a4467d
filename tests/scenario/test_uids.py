"""Blanks by their numbers: one that no batch lists, or that was destroyed, is refused at the probe; or used with a warning."""

from __future__ import annotations

from tests.scenario.scene import NewScene, Scene

FOREIGN = ["0F000000000001", "0F000000000002"]  # listed, and never came


def _fill(scene: Scene, blanks: int, listed: slice) -> list[str]:
    """Put blanks into the hopper, of which some are on the list of their batch. Returns their numbers in the order of feeding."""
    ids = scene.rig.sim("load", lane="1", count=blanks)["blanks"]
    uids = [blank["uid"] for blank in scene.world()["blanks"] if blank["id"] in ids]
    of_batch = [*uids[listed], *FOREIGN][:blanks]
    scene.rig.receive(blanks, uids=of_batch)
    return uids


def test_destroyed_and_unlisted_blanks_cost_no_card_and_are_never_used(new_scene: NewScene) -> None:
    scene = new_scene().start(blanks=0)
    uids = _fill(scene, 4, listed=slice(2, 4))
    scene.rig.receive(1, uids=uids[:1])
    scene.rig.act("destroy", place="store", quantity=1, document="BA 1", uids=uids[:1])
    scene.rig.act("load", lane="1", quantity=4)
    (number,) = scene.submit()
    scene.until_state("failed", number)
    assert scene.verdicts(number) == [("spoiled", "chip_destroyed"), ("spoiled", "chip_unknown")]
    assert scene.rig.command("retry", str(number)).returncode == 0
    scene.until_state("issued", number)
    assert scene.job(number)["passages"][-1]["chip_uid"] == uids[2]


def test_an_unlisted_blank_is_used_with_an_incident_where_the_office_says_so(new_scene: NewScene) -> None:
    scene = new_scene(edits={"max_remakes = 1": 'max_remakes = 1\nunknown_uid = "warn"'}).start(blanks=0)
    uids = _fill(scene, 2, listed=slice(1, 2))
    scene.rig.act("load", lane="1", quantity=2)
    (number,) = scene.issue()
    assert (scene.verdicts(number), scene.job(number)["passages"][0]["chip_uid"]) == ([("good", "")], uids[0])
    incidents = scene.rig.get("/api/v1/incidents").body["incidents"]
    assert [uids[0] in incident["detail"] for incident in incidents if incident["kind"] == "uid_warned"] == [True]
