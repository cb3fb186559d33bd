"""Statistics of the simulated market beside recorded days: `python -m tests.benchmarks.realism --seed 7 --day FOLDER`.

Nearest chains of stocks (or of indices, `--kind INDEX`). The simulated day is looked at every five minutes, as the
recorded ones are, and by default without planted scenes: what is compared is the background. Distances from the money
are in standard deviations to expiry. A figure that a source cannot give is left out.
"""

import argparse
from pathlib import Path

import numpy as np

from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.simulated import SimulatedMarket
from optionscanner.analytics.flow import atm_weights
from optionscanner.model.calendar import load_calendar
from optionscanner.model.settings import EngineSettings
from tests.engine_builders import run
from tests.recorded_days import TapeClock

EDGES = (-2.0, -1.0, -0.25, 0.25, 1.0, 2.0)


class Day:
    """One day through the engines: what the statistics need of every picture."""

    def __init__(self, market, clock, kind):
        self.layout, settings, state, pricing = market.day.layout, EngineSettings(), None, None
        wanted = self.layout.is_index if kind == "INDEX" else ~self.layout.is_index
        front = self.layout.underlying_front
        self.names = np.flatnonzero(wanted & (front >= 0))
        self.chains = front[self.names]
        names = ("at", "interest", "volume", "spot", "forward", "iv", "own", "mean", "regime", "events", "aligned")
        kept = {n: [] for n in names}
        self.spread, self.readiness = np.nan, []
        for clock.instant in market.instants():
            chains = market.latest()
            state, made, pricing = run(chains, state, settings, pricing)
            weight = atm_weights(chains, pricing, settings.flow)
            held = np.nan_to_num(weight * np.nan_to_num(chains.legs.open_interest).sum(axis=1))
            weighted = np.add.reduceat(held, self.layout.starts)
            reading = made["flow"]
            for name, value in zip(names, (
                clock.instant, chains.legs.open_interest, chains.legs.volume, chains.underlyings.spot[self.names],
                pricing.forward, pricing.surface_volatility, 100 * reading["atm_flow"] / weighted, reading["steps"],
                np.nan_to_num(state.segment["regime"]), len(made["activity"]), np.nansum(made["activity"]["aligned"]),
            ), strict=True):  # fmt: skip
                kept[name].append(value)
            self.readiness.append(made["readiness"]["readiness"][self.names])
            if len(kept["at"]) == 40:
                self._quotes(chains, pricing)
        self.years = pricing.time_to_expiry
        for name, values in kept.items():
            setattr(self, name, np.array(values))

    def _quotes(self, chains, pricing):
        near = np.concatenate([[pricing.atm_row[s]] for s in self.chains if pricing.atm_row[s] >= 0])
        legs = chains.legs
        share = (legs.ask - legs.bid)[near] / ((legs.ask + legs.bid)[near] / 2)
        self.spread = 100 * np.nanmedian(share) if np.isfinite(share).any() else np.nan

    def figures(self):
        """{what: text}, in order."""
        return {**self._flows(), **self._smile(), **self._volume(), **self._returns(), **self._detectors()}

    def _flows(self):
        sizes, scaled, follow, gaps, moved = [], [], [], [], []
        for s in self.chains:
            at = np.flatnonzero(np.diff(np.nan_to_num(self.mean[:, s])) > 0) + 1
            own = self.own[at, s]
            if len(own) < 30:
                continue
            size = np.abs(own).mean()
            sizes.append(size)
            scaled.append(np.abs(own) / size)
            centred = own - own.mean()
            follow.append((centred[1:] * centred[:-1]).mean() / centred.var())
            gaps.append(np.diff(self.at[at]))
            rows = slice(self.layout.starts[s], self.layout.ends[s])
            moved.append(np.nanmean(np.diff(self.interest[at][:, rows], axis=0) != 0))
        if not sizes:
            return {}
        scaled = np.concatenate(scaled)
        return {
            "seconds between OI steps, 5/50/95 %": _row(np.percentile(np.concatenate(gaps), [5, 50, 95]), 0),
            "legs whose OI changes in a step, %": _row([100 * np.mean(moved)], 0),
            "usual step of ATM flow, % of OI, 25/50/75 % of names": _row(np.percentile(sizes, [25, 50, 75]), 2),
            "steps in usual steps, 50/90/99/99.9 %": _row(np.percentile(scaled, [50, 90, 99, 99.9]), 1),
            "correlation of a step with the next": _row([np.median(follow)], 2),
        }

    def _smile(self):
        middle = len(self.at) // 2
        row = self.layout.row_segment
        forward, volatility = self.forward[middle][row], self.iv[middle]
        distance = np.log(self.layout.strike / forward)
        money = np.full(len(self.layout.segment_keys), np.nan)
        for s in self.chains:
            rows = np.arange(self.layout.starts[s], self.layout.ends[s])
            if np.isfinite(distance[rows]).any():
                money[s] = volatility[rows[np.nanargmin(np.abs(distance[rows]))]]
        z = distance / (money[row] * np.sqrt(self.years[row]))
        mine = np.isin(row, self.chains)
        held = np.nan_to_num(self.interest[middle])
        share = held / np.add.reduceat(held, self.layout.starts)[row]
        places = [mine & (z >= low) & (z < high) for low, high in zip((-9, *EDGES), (*EDGES, 9), strict=True)]
        relative = volatility / money[row]
        count = np.isfinite(money[self.chains]).sum()
        slope, curve = [], []
        for s in self.chains:
            rows = np.arange(self.layout.starts[s], self.layout.ends[s])
            fit = rows[(np.abs(z[rows]) < 1.5) & np.isfinite(relative[rows])]
            if len(fit) >= 5:
                bent, leaning, _ = np.polyfit(z[fit], relative[fit], 2)
                slope.append(leaning)
                curve.append(bent)
        if not slope:
            return {}
        edges = "/".join(f"{e:g}" for e in EDGES)
        return {
            "ATM volatility, %, 5/50/95 % of names": _row(100 * np.nanpercentile(money[self.chains], [5, 50, 95]), 0),
            "smile slope per sd, share of ATM, 25/50/75 %": _row(np.percentile(slope, [25, 50, 75]), 3),
            "smile curvature per sd squared, 25/50/75 %": _row(np.percentile(curve, [25, 50, 75]), 3),
            f"call OI, % of side, cut at {edges} sd": _row([100 * share[p, 0].sum() / count for p in places], 0),
            f"put OI, % of side, cut at {edges} sd": _row([100 * share[p, 1].sum() / count for p in places], 0),
            "spread at the money, % of price": _row([self.spread], 2) if np.isfinite(self.spread) else "",
        }

    def _volume(self):
        found = []
        for hour in range(1, 7):
            i = min(int(np.searchsorted(self.at, self.at[0] + 3600 * hour)), len(self.at) - 1)
            sums = [
                np.add.reduceat(np.nan_to_num(v[i]).sum(axis=1), self.layout.starts)[self.chains]
                for v in (self.volume, self.interest)
            ]
            found.append(np.median(sums[0][sums[1] > 0] / sums[1][sums[1] > 0]))
        first, last = (
            np.add.reduceat(np.nan_to_num(self.interest[i]).sum(axis=1), self.layout.starts)[self.chains]
            for i in (2, -2)
        )
        growth = 100 * (last[first > 0] / first[first > 0] - 1)
        return {
            "volume over OI after 1 to 6 hours, median name": _row(found, 2),
            "growth of OI over the day, %, 5/50/95 % of names": _row(np.percentile(growth, [5, 50, 95]), 0),
        }

    def _returns(self):
        moves = np.nan_to_num(np.diff(np.log(self.spot), axis=0))
        moves = moves[:, moves.std(axis=0) > 0]
        if moves.shape[1] < 2:
            return {}
        between = np.corrcoef(moves.T)[np.triu_indices(moves.shape[1], 1)]
        centred = moves - moves.mean(axis=0)
        tails = (centred**4).mean(axis=0) / centred.var(axis=0) ** 2
        day = 100 * moves.std(axis=0) * np.sqrt(len(moves))
        return {
            "correlation of returns between names, 25/50/75 %": _row(np.percentile(between, [25, 50, 75]), 2),
            "standard deviation of the day, %, 5/50/95 %": _row(np.percentile(day, [5, 50, 95]), 2),
            "kurtosis of returns, median name": _row([np.median(tails)], 1),
        }

    def _detectors(self):
        regime = self.regime[:, self.chains]
        new = ((np.diff(regime, axis=0) != 0) & (regime[1:] != 0)).sum()
        hours = len(self.chains) * (self.at[-1] - self.at[0]) / 3600
        return {
            "new regimes per hundred names and hour": _row([100 * new / hours], 2),
            "names with a regime, % of the time": _row([100 * np.mean(regime != 0)], 1),
            "events / of them aligned, a picture (all chains)": _row([self.events.mean(), self.aligned.mean()], 1),
            "readiness of 80 and more, % of the time": _row([100 * np.nanmean(np.array(self.readiness) >= 80)], 2),
        }


def _row(values, digits):
    return " / ".join(f"{v:.{digits}f}" for v in values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--strength", type=float, default=0.0)
    parser.add_argument("--step", type=int, default=300, help="seconds between pictures of the simulated day")
    parser.add_argument("--day", type=Path, action="append", default=[], help="a recorded day; may be repeated")
    parser.add_argument("--kind", choices=["STOCK", "INDEX"], default="STOCK")
    given = parser.parse_args()
    calendar, columns = load_calendar(), {}
    for folder in given.day:
        clock = TapeClock()
        columns[folder.name] = Day(RecordedMarket(read_day(folder), clock, calendar), clock, given.kind).figures()
    clock = TapeClock()
    market = SimulatedMarket(
        seed=given.seed, clock=clock, calendar=calendar, step=given.step, strength=given.strength
    )
    columns[f"simulated, seed {given.seed}"] = Day(market, clock, given.kind).figures()
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    print("| | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name in names:
        print(f"| {name} | " + " | ".join(figures.get(name, "") for figures in columns.values()) + " |")


if __name__ == "__main__":
    main()
