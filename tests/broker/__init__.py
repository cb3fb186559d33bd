"""A stand-in for the Angel One broker: SmartAPI's wire on loopback, driven by an invented or a recorded market.

Main entry: `StandIn`, in this process; `StandInProcess`, in one of its own; `python -m tests.broker` by hand. It speaks
the wire that the broker documents, and knows nothing of who connects: the broker's own client works against it
unmodified. Orders live in memory, and no packet leaves the machine.

- `server.py` - starts and stops it; the network can be taken away
- `settings.py`, `clock.py` - the account, the limits, how fast time runs
- `market.py`, `instruments.py`, `board.py` - what the market says at the broker's time, one line an instrument
- `master.py` - the instrument master file, with its traps
- `rest.py`, `gateway.py`, `envelopes.py`, `limits.py` - requests, who may make them and how many
- `accounts.py`, `quotes.py`, `history.py`, `greeks.py`, `rankings.py`, `orders.py` - what they answer
- `feed.py`, `connections.py`, `packets.py`, `order_updates.py` - the two websockets
- `faults.py`, `spoiled.py`, `control.py` - trouble on demand, and the port on which it is asked for
- `process.py` - the stand-in in a process of its own, for tests that measure

What the broker's reference leaves open is decided in `settings.py`, so that a test can decide otherwise.
"""

from tests.broker.process import StandInProcess
from tests.broker.server import StandIn
from tests.broker.settings import Account, Settings

__all__ = ["Account", "Settings", "StandIn", "StandInProcess"]
