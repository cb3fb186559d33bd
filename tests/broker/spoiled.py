"""A market that says something wrong: dead tokens, frozen and zero prices, jumps, swapped sides, half a chain.

Main entry: `Spoiled.seen`, through which REST and the feed alike read the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optionscanner.model.contracts import Bools, Ints
from tests.broker.board import Board, Values

KINDS = ("dead", "frozen", "zero-price", "jump", "swapped-depth", "one-sided", "zero-close", "late")


@dataclass(frozen=True, eq=False)
class Spoil:
    """One thing that is wrong with some lines."""

    kind: str
    lines: Bools
    """(N,)"""
    factor: float
    frozen: Values
    """Every line as it was when the fault was set."""


class Spoiled:
    """The board as the broker tells it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._spoils: list[Spoil] = []

    def set(
        self,
        kind: str,
        *,
        underlying: str | None = None,
        kinds: Sequence[str] = ("CE", "PE", "FUT", "INDEX", "STOCK"),
        tokens: Sequence[str] | None = None,
        factor: float = 2.0,
    ) -> int:
        """From now on this is wrong; how many lines it concerns.

        `underlying`: only of this name; `kinds`: only of these kinds; `tokens`: only these. `factor` is by what a
        jump multiplies prices, or by how many seconds a late line's stamps lag. dead: never an answer, never a packet.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown fault of the market {kind!r}; there are {', '.join(KINDS)}")
        instruments = self._board.instruments
        lines = np.array(
            [
                (underlying is None or name == underlying) and what in kinds and (tokens is None or token in tokens)
                for name, what, token in zip(instruments.name, instruments.kind, instruments.token, strict=True)
            ]
        )
        everything = self._board.values.at(np.arange(len(instruments)))
        self._spoils.append(Spoil(kind, lines, factor, everything))
        return int(lines.sum())

    def clear(self) -> None:
        """The market tells the truth again."""
        self._spoils.clear()

    def seen(self, lines: Ints) -> Values:
        """Values of some lines as they are told."""
        values = self._board.values.at(lines)
        for spoil in self._spoils:
            if (hit := spoil.lines[lines]).any():
                values = _spoiled(spoil, values, lines, hit)
        return values


def _spoiled(spoil: Spoil, values: Values, lines: Ints, hit: Bools) -> Values:
    if spoil.kind == "dead":
        return replace(values, seen=values.seen & ~hit)
    if spoil.kind == "frozen":
        old = spoil.frozen.at(lines)
        return replace(values, last=np.where(hit, old.last, values.last))
    if spoil.kind == "zero-price":
        return replace(values, last=np.where(hit, 0.0, values.last))
    if spoil.kind == "jump":
        return replace(values, last=np.where(hit, values.last * spoil.factor, values.last))
    if spoil.kind == "zero-close":
        return replace(values, close=np.where(hit, 0.0, values.close))
    if spoil.kind == "one-sided":
        return replace(values, bid=np.where(hit, np.nan, values.bid))
    if spoil.kind == "late":
        return replace(
            values,
            stamped_at=np.where(hit, values.stamped_at - spoil.factor, values.stamped_at),
            traded_at=np.where(hit, values.traded_at - spoil.factor, values.traded_at),
        )
    bid, ask = np.where(hit, values.ask, values.bid), np.where(hit, values.bid, values.ask)
    quantities = np.where(hit, values.ask_quantity, values.bid_quantity)
    return replace(
        values,
        bid=bid,
        ask=ask,
        bid_quantity=quantities,
        ask_quantity=np.where(hit, values.bid_quantity, values.ask_quantity),
    )
