"""A seeded, invented market with the anatomy of the real one: what the program shows without credentials.

`SimulatedMarket` is a market source like any other. Underlyings bear the names of real ones, because their sheets
do; every price, lot size, ladder and position in it is invented (`universe.csv`, `expiries.csv`), and the session
is a fixed fictitious one, so nothing depends on the day on which the program runs. Every value is a function of
the seed and the instant alone: a restarted program sees the same market as one that never stopped.

How like the real one it is: nearest chains of its 210 stocks without scenes (seed 7), beside the 206 stocks of the
recorded reference day (30 January 2026), both looked at every five minutes. `tests/benchmarks/realism.py` prints it.

====================================================  ===============================  ===============================
figure                                                recorded                         simulated
====================================================  ===============================  ===============================
usual step of ATM flow, % of OI, 25/50/75 % of names  0.21 / 0.31 / 0.43               0.26 / 0.38 / 0.55
steps in usual steps, 50/90/99/99.9 %                 0.5 / 2.4 / 7.5 / 18.0           0.5 / 2.4 / 7.1 / 14.7
correlation of a step with the next                   0.08                             0.06
legs whose OI changes in a step, %                    18                               19
growth of OI over the day, %, 5/50/95 % of names      -2 / 8 / 37                      -3 / 3 / 37
ATM volatility, %, 5/50/95 % of names                 24 / 34 / 49                     22 / 33 / 46
smile slope per sd, share of ATM, 25/50/75 %          -0.053 / -0.035 / -0.019         -0.044 / -0.030 / -0.014
smile curvature per sd squared, 25/50/75 %            0.035 / 0.046 / 0.060            0.043 / 0.050 / 0.058
call OI, %, cut at -2/-1/-0.25/0.25/1/2 sd            0 / 1 / 9 / 25 / 37 / 23 / 5     1 / 4 / 15 / 27 / 30 / 21 / 4
put OI, %, cut at -2/-1/-0.25/0.25/1/2 sd             5 / 17 / 32 / 25 / 14 / 5 / 2    6 / 19 / 28 / 27 / 16 / 4 / 0
volume over OI after 1 to 6 hours, median name        0.33 / 0.50 / 0.64 / 0.81 / ..   0.31 / 0.50 / 0.65 / 0.80 / ..
correlation of returns, 25/50/75 % of pairs           0.08 / 0.18 / 0.29               0.10 / 0.19 / 0.28
standard deviation of the day, %, 5/50/95 % of names  1.07 / 1.65 / 3.22               0.97 / 1.54 / 2.82
kurtosis of five-minute returns, median name          11.2                             6.4
====================================================  ===============================  ===============================

The recorded day's open interest stepped 298 s apart in the median (its sampling); here it steps every 180 s. Its index
chains are quoted 0.24 % wide at the money (NIFTY and BANKNIFTY, 29 August 2025), these 0.28 %. Known apart: single
returns are less wild than recorded ones, and indices' volume and open interest were not fitted.

- `universe.py` - names, expiries and contracts of the day
- `scenes.py` - what is planted into the day, and the answer key
- `paths.py` - spot and volatility through the day
- `interest.py` - open interest and volume through the day
- `quotes.py` - arbitrage-free prices of an instant, and the bid, ask and last trade around them
- `market.py` - the source: observations on the clock
- `year.py` - the 252 sessions before: closes, closing open interest, volatility
- `daily.py` - what the daily files would say before the day: levels, participants, bans, events
- `streams.py`, `books.py` - grids and random numbers; how steps become open interest and volume
"""

from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.adapters.simulated.scenes import Scene
from optionscanner.adapters.simulated.universe import simulated_session
from optionscanner.adapters.simulated.year import DailyHistory

__all__ = ["DailyHistory", "Scene", "SimulatedMarket", "simulated_session"]
