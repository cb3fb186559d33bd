"""Words of what only DRILLDOWN shows: (source, meaning, unit, as of, from) of each. Data and words only."""

from __future__ import annotations

_PRICE, _OPEN_INTEREST = "price time", "OI time"
_BLACK = "Black-76 on the forward"
_HERE = "computed by this program"
_CONVENTION = "the convention that stands under the cards"
_MARK = "0 at the strike nearest {}, blank elsewhere: where charts put its mark"

DRILLDOWN_WORDS: tuple[tuple[str, str, str, str, str], ...] = (
    ("leg.gamma", "change of delta for ₹1 of the forward", "1/₹", _PRICE, _BLACK),
    ("leg.theta", "change of the option's price as a calendar day passes", "₹ a day", _PRICE, _BLACK),
    ("leg.vega", "change of the option's price for one volatility point", "₹ a point", _PRICE, _BLACK),
    ("leg.vanna", "change of delta for one volatility point", "per point", _PRICE, _BLACK),
    ("leg.charm", "change of delta as a calendar day passes", "per day", _PRICE, _BLACK),
    *(
        (f"leg.change_{w}", f"change of open interest over {w} minutes; blank until they are covered", "",
         _OPEN_INTEREST, _HERE)
        for w in (30, 15, 10, 5)
    ),
    ("leg.added", "open interest less that of the previous close, or of the open where no close is known", "",
     _OPEN_INTEREST, _HERE),
    ("leg.gex", "gamma exposure of the leg", "₹ crore / 1 %", _OPEN_INTEREST, _CONVENTION),
    ("leg.dex", "hedge that dealers hold against the leg's delta", "₹ crore", _OPEN_INTEREST, _CONVENTION),
    ("leg.vex", "what dealers buy when volatility rises one point", "₹ crore / point", _OPEN_INTEREST, _CONVENTION),
    ("leg.cex", "what dealers buy as a calendar day passes", "₹ crore / day", _OPEN_INTEREST, _CONVENTION),
    ("drill.gex", "gamma exposure of the strike, calls and puts", "₹ crore / 1 %", _OPEN_INTEREST, _CONVENTION),
    ("drill.dex", "hedge that dealers hold at the strike", "₹ crore", _OPEN_INTEREST, _CONVENTION),
    ("drill.vex", "hedge flow of the strike when volatility rises one point", "₹ crore / point", _OPEN_INTEREST,
     _CONVENTION),
    ("drill.cex", "hedge flow of the strike as a calendar day passes", "₹ crore / day", _OPEN_INTEREST, _CONVENTION),
    ("drill.volatility", "volatility of the strike, from its out-of-the-money side", "% a year", _PRICE, _BLACK),
    ("drill.volatility_open", "the same in the first minutes of the session", "% a year", "the open", _BLACK),
    ("drill.pain", "payout to holders of all calls and puts if the expiry settles at the strike", "₹ crore",
     _OPEN_INTEREST, _HERE),
    ("drill.vex_strikes", "strikes of the two largest vega-driven hedge flows, either direction", "₹", _OPEN_INTEREST,
     _HERE),
    ("mark.spot", _MARK.format("spot"), "0", _PRICE, _HERE),
    ("mark.flip", _MARK.format("the gamma flip"), "0", _OPEN_INTEREST, _HERE),
    ("mark.call_wall", _MARK.format("the call gamma wall"), "0", _OPEN_INTEREST, _HERE),
    ("mark.put_wall", _MARK.format("the put gamma wall"), "0", _OPEN_INTEREST, _HERE),
    ("trail.volume", "traded in the nearest future in these five minutes", "", _PRICE, "quotes of the source"),
)  # fmt: skip
