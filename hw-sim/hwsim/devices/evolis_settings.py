"""What people adjust on an Evolis unit and the printer keeps: contrast, luminosity, speed, offsets (printers.md 3.5, 3.6). Pure.

`Pc;y;=;12` sets what `Rc;y` tells, `Pos;=;1160` what `Ros` tells; `a` stands for all panels; + and - change by so much. Where the
guide gives no default, 10 and 0 are ours (E).
"""

from __future__ import annotations

from hwsim.devices.parts import whole_number

_PANELS = "ymcko"
_BY_PANEL = {"Pc": "Rc", "Pl": "Rl", "Ps": "Rs"}
_WHOLE = {"Px": ("Rx", 0), "Py": ("Ry", 0), "Pos": ("Ros", 1158), "Poc": ("Roc", 800)}
SETTERS = (*_BY_PANEL, *_WHOLE)


def factory_settings() -> dict[str, str]:
    """The query of each setting -> what it answers on a new unit."""
    by_panel = {f"{query};{panel}": "10" for query in _BY_PANEL.values() for panel in _PANELS}
    return by_panel | {query: str(value) for query, value in _WHOLE.values()}


def change(settings: dict[str, str], name: str, parameters: tuple[str, ...]) -> bool:
    """Carry out a setter; False when its parameters make no sense."""
    queries = [_WHOLE[name][0]] if name in _WHOLE else _panel_queries(name, parameters)
    sign, *number = parameters[name in _BY_PANEL :][:2] or ("",)
    step = whole_number(number[0]) if number else None
    if not queries or sign not in ("=", "+", "-") or step is None:
        return False
    for query in queries:
        old = int(settings[query])
        settings[query] = str({"=": step, "+": old + step, "-": old - step}[sign])
    return True


def _panel_queries(name: str, parameters: tuple[str, ...]) -> list[str]:
    panel = parameters[0] if parameters else ""
    if panel != "a" and (len(panel) != 1 or panel not in _PANELS):
        return []
    return [f"{_BY_PANEL[name]};{one}" for one in (_PANELS if panel == "a" else panel)]
