"""The grids of the simulated day and its random numbers: what paths, positions and scenes share."""

from __future__ import annotations

import zlib

import numpy as np

GRID = 5
"""Seconds between points of the paths."""
SLOW_GRID = 180
"""Seconds between steps of what moves slowly: volatility, pressure, open interest."""


def stream(seed: int, label: str) -> np.random.Generator:
    """The random numbers of one purpose: the same on every platform, independent of all other labels."""
    key = zlib.crc32(label.encode("utf-8"))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(key,))))
