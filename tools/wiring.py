"""The example configurations for more lanes than one: each further lane is the first with names and ports of its own. Pure."""

from __future__ import annotations

import re

from tools.pcscd import reader_name, sam_name, vpcd_port

GPIO_PORT = 8888  # of the first lane; the others follow


def with_lanes(text: str, lanes: int) -> str:
    """An example station.toml or hw-sim.toml with so many lanes. What belongs to each stands below its own [[lanes]]."""
    found = re.search(r"^\[\[lanes\]\]\n.*?(?=^\[(?!lanes[.\]]|\[lanes))", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError("no [[lanes]] with another table after it")
    return text[: found.start()] + "".join(_lane(found[0], lane) for lane in range(1, lanes + 1)) + text[found.end() :]


def _lane(block: str, lane: int) -> str:
    changes = {
        'name = "1"': f'name = "{lane}"',
        "SIM-E-0001": f"SIM-E-{lane:04}",
        'busid = "1-1"': f'busid = "1-{lane}"',
        reader_name(1): reader_name(lane),
        sam_name(1): sam_name(lane),
        f":{vpcd_port(1)}": f":{vpcd_port(lane)}",
        f":{vpcd_port(1) + 1}": f":{vpcd_port(lane) + 1}",
        f":{GPIO_PORT}": f":{GPIO_PORT + lane - 1}",
    }
    for old, new in changes.items():
        block = block.replace(old, new)
    return block
