"""How pricing takes a whole market's arrays: broadcast, flattened, and worked through in cache-sized blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from optionscanner.model.contracts import Bools, Floats

BLOCK_ROWS = 3000


def flatten(*arguments: ArrayLike) -> tuple[tuple[int, ...], list[Floats], Bools]:
    """The shape that the arguments broadcast to, and each of them flattened: numbers, and the last one as truth."""
    *numbers, is_call = arguments
    arrays = [np.asarray(number, dtype=np.float64) for number in numbers]
    side = np.asarray(is_call, dtype=np.bool)
    shape = np.broadcast_shapes(side.shape, *(array.shape for array in arrays))
    flat = [np.broadcast_to(array, shape).reshape(-1) for array in arrays]
    return shape, flat, np.broadcast_to(side, shape).reshape(-1)


def blocks(size: int) -> Iterator[slice]:
    """Slices that cut `size` rows into equal pieces whose intermediate results stay in the processor's cache.

    Larger temporaries are handed back to the operating system after every step, which doubles the time.
    """
    count = -(-size // BLOCK_ROWS)
    for block in range(count):
        yield slice(block * size // count, (block + 1) * size // count)
