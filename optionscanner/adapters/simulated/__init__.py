"""A seeded, invented market with the anatomy of the real one: what the program shows without credentials.

`SimulatedMarket` is a market source like any other. Underlyings bear the names of real ones, because their sheets
do; every price, lot size, ladder and position in it is invented (`universe.csv`, `expiries.csv`), and the session
is a fixed fictitious one, so nothing depends on the day on which the program runs. Every value is a function of
the seed and the instant alone: a restarted program sees the same market as one that never stopped.

- `universe.py` - names, expiries and contracts of the day
- `paths.py` - spot and volatility through the day
- `interest.py` - open interest and volume through the day
- `quotes.py` - arbitrage-free prices of an instant, and the bid, ask and last trade around them
- `market.py` - the source: observations on the clock
"""

from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.adapters.simulated.universe import simulated_session

__all__ = ["SimulatedMarket", "simulated_session"]
