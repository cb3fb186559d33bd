"""A reading: one table of numbers that a cycle computed, checked against its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from optionscanner.errors import ChainError
from optionscanner.model.columns import TableSpec

Values = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Reading:
    """Columns of `spec`, all of one length: float64 arrays, object arrays of str for text."""

    spec: TableSpec
    columns: Mapping[str, Values]

    def __post_init__(self) -> None:
        missing, extra = set(self.spec.names) - set(self.columns), set(self.columns) - set(self.spec.names)
        if missing or extra or len({len(v) for v in self.columns.values()}) > 1:
            raise ChainError(
                f"reading {self.spec.name}: columns must be those declared and of one length; "
                f"missing {sorted(missing)}, unknown {sorted(extra)}"
            )

    def __getitem__(self, name: str) -> Values:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, index: npt.ArrayLike) -> Reading:
        """The same table with only the rows of `index`, in that order."""
        return Reading(self.spec, {n: v[np.asarray(index)] for n, v in self.columns.items()})

    def frame(self) -> pd.DataFrame:
        """The table as a DataFrame, for people and notebooks."""
        return pd.DataFrame({name: self.columns[name] for name in self.spec.names})
