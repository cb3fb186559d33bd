"""Adds what a cycle computed to the trails of the day. Main entry: `followed`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.model.chains import Chains
from optionscanner.model.columns import READINGS
from optionscanner.model.contracts import Floats
from optionscanner.model.readings import Reading
from optionscanner.model.trails import SOURCES, Trails

_ROW_OF = {spec.name: spec.row for spec in READINGS}


def followed(trails: Trails | None, chains: Chains, readings: Mapping[str, Reading]) -> Trails:
    """The trails with this cycle's values of every name whose nearest expiry was observed anew.

    Trails of another day, or none, begin afresh.
    """
    begun = Trails.of_day(chains.day)
    trails = begun if trails is None or trails.opens != begun.opens else trails.on(begun.names)
    layout = chains.layout
    front = layout.underlying_front
    renewed = (front >= 0) & chains.updated[front]
    if not renewed.any():
        return trails
    seen: dict[str, Floats] = {}
    for source in SOURCES:
        table, _, name = source.partition(".")
        if table in readings:
            values = np.asarray(readings[table][name], dtype=np.float64)
            own = values if _ROW_OF[table] == "underlying" else values[front]
            seen[source] = np.where(renewed, own, np.nan)
    return trails.seen(chains.as_of, seen)
