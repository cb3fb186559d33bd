"""Orders, trades and positions in memory: enough to be read, and to be placed, changed, cancelled and filled.

Main entry: `Orders`. A limit order is filled whole, at its own price or better, once the market stands there; market
orders are filled at once. Nothing is checked against margins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.broker.board import Board
from tests.broker.envelopes import Refused, refusal
from tests.broker.quotes import stamp

_VARIETIES = ("NORMAL", "STOPLOSS", "ROBO", "AMO")
_PRODUCTS = ("DELIVERY", "CARRYFORWARD", "MARGIN", "INTRADAY", "BO")
_NEEDED = (
    "variety",
    "tradingsymbol",
    "symboltoken",
    "transactiontype",
    "exchange",
    "ordertype",
    "producttype",
    "quantity",
)
_OPEN, _COMPLETE, _CANCELLED = "open", "complete", "cancelled"
UPDATE_CODES = {_OPEN: "AB01", _CANCELLED: "AB02", _COMPLETE: "AB05"}
"""State of an order -> what the order-update socket calls it."""


@dataclass
class Order:
    """One order."""

    number: str
    unique: str
    line: int
    side: str
    asked: dict[str, str]
    status: str = _OPEN
    price: float = 0.0
    """Average price of its fill [₹]."""
    filled: int = 0
    """Units."""
    changed_at: float = 0.0

    @property
    def quantity(self) -> int:
        """Units ordered."""
        return int(float(self.asked["quantity"]))


@dataclass
class Position:
    """What is held of one line in one product."""

    line: int
    product: str
    bought: int = 0
    """Units."""
    sold: int = 0
    bought_for: float = 0.0
    """₹"""
    sold_for: float = 0.0


@dataclass
class Orders:
    """The book of the day."""

    board: Board
    now: Callable[[], float]
    told: list[Callable[[Order], None]] = field(default_factory=list)
    """Called with every order that changes."""
    orders: list[Order] = field(default_factory=list)
    positions: dict[tuple[int, str], Position] = field(default_factory=dict)

    def place(self, body: Mapping[str, Any]) -> dict[str, str] | None:
        """Data of `placeOrder`; None for a request that lacks something. Raises Refused."""
        if any(not str(body.get(name, "")) for name in _NEEDED):
            return None
        if body["variety"] not in _VARIETIES:
            raise Refused(refusal("AB1008", "Invalid Order Variety"))
        if body["producttype"] not in _PRODUCTS:
            raise Refused(refusal("AB1012", "Invalid Product Type"))
        if len(str(body.get("ordertag", ""))) >= 20:
            raise Refused(refusal("AB4008", "Order tag length should be less than 20 characters"))
        line = self.board.instruments.by_token.get((str(body["exchange"]), str(body["symboltoken"])))
        if line is None or self.board.instruments.symbol[line] != body["tradingsymbol"]:
            raise Refused(refusal("AB1009", "Symbol Not Found"))
        number = len(self.orders) + 1
        order = Order(
            f"{stamp(self.now())[9:11]}0720{number:09d}",
            f"00000000-0000-4000-8000-{number:012x}",
            line,
            str(body["transactiontype"]),
            {name: str(value) for name, value in body.items()},
        )
        self.orders.append(order)
        self._changed(order)
        self.fill()
        return {"script": str(body["tradingsymbol"]), "orderid": order.number, "uniqueorderid": order.unique}

    def modify(self, body: Mapping[str, Any]) -> dict[str, str]:
        """Data of `modifyOrder`. Raises Refused."""
        order = self._open_order(body)
        order.asked |= {n: str(body[n]) for n in ("price", "quantity", "ordertype", "duration") if n in body}
        self._changed(order)
        self.fill()
        return {"orderid": order.number, "uniqueorderid": order.unique}

    def cancel(self, body: Mapping[str, Any]) -> dict[str, str]:
        """Data of `cancelOrder`. Raises Refused."""
        order = self._open_order(body)
        order.status = _CANCELLED
        self._changed(order)
        return {"orderid": order.number, "uniqueorderid": order.unique}

    def fill(self) -> None:
        """Fill what the market allows now."""
        values = self.board.values
        for order in self.orders:
            if order.status != _OPEN:
                continue
            buying = order.side == "BUY"
            other = float((values.ask if buying else values.bid)[order.line])
            there = other if np.isfinite(other) and other > 0 else float(values.last[order.line])
            limit = float(order.asked.get("price") or 0)
            market = order.asked["ordertype"] == "MARKET"
            if there > 0 and (market or (there <= limit if buying else there >= limit)):
                order.status, order.price, order.filled = _COMPLETE, there, order.quantity
                self._hold(order.line, order.asked["producttype"], order.quantity if buying else -order.quantity, there)
                self._changed(order)

    def hold(self, exchange: str, token: str, units: int, price: float, product: str = "CARRYFORWARD") -> None:
        """Put a position into the book: `units` bought (above 0) or sold at `price` [₹]."""
        self._hold(self.board.instruments.by_token[(exchange, token)], product, units, price)

    def book(self) -> list[dict[str, Any]] | None:
        """Rows of the order book; None for an empty one, as the broker says it."""
        return [self.row(order) for order in self.orders] or None

    def row(self, order: Order) -> dict[str, Any]:
        """One order as the order book shows it."""
        instruments, asked = self.board.instruments, order.asked
        strike, expiry = float(instruments.strike[order.line]), instruments.expiry[order.line]
        at = stamp(order.changed_at)
        return {
            **{name: asked.get(name, "") for name in ("variety", "ordertype", "producttype", "duration", "ordertag")},
            **{name: float(asked.get(name) or 0) for name in ("price", "triggerprice", "squareoff", "stoploss")},
            "trailingstoploss": 0.0,
            "quantity": asked["quantity"],
            "disclosedquantity": asked.get("disclosedquantity", "0"),
            "tradingsymbol": instruments.symbol[order.line],
            "transactiontype": order.side,
            "exchange": instruments.exchange[order.line],
            "symboltoken": instruments.token[order.line],
            "instrumenttype": instrument_type(instruments.kind[order.line], self._is_index(order.line)),
            "strikeprice": strike if np.isfinite(strike) else -1.0,
            "optiontype": instruments.kind[order.line] if np.isfinite(strike) else "",
            "expirydate": f"{expiry:%d%b%Y}".upper() if expiry else "",
            "lotsize": str(int(instruments.lot[order.line])),
            "cancelsize": asked["quantity"] if order.status == _CANCELLED else "0",
            "averageprice": order.price,
            "filledshares": str(order.filled),
            "unfilledshares": str(order.quantity - order.filled),
            "orderid": order.number,
            "text": "",
            "status": order.status,
            "orderstatus": order.status,
            "updatetime": at,
            "exchtime": at,
            "exchorderupdatetime": at,
            "fillid": f"{int(order.number) % 10**6}" if order.filled else "",
            "filltime": at[12:] if order.filled else "",
            "parentorderid": "",
            "uniqueorderid": order.unique,
            "exchangeorderid": f"11{order.number}",
        }

    def trades(self) -> list[dict[str, Any]] | None:
        """Rows of the trade book; None for an empty one."""
        rows = []
        for order in self.orders:
            if not order.filled:
                continue
            row = self.row(order)
            rows.append(
                {
                    "exchange": row["exchange"],
                    "producttype": row["producttype"],
                    "tradingsymbol": row["tradingsymbol"],
                    "instrumenttype": row["instrumenttype"],
                    "symbolgroup": "XX",
                    "strikeprice": f"{row['strikeprice']}",
                    "optiontype": row["optiontype"],
                    "expirydate": row["expirydate"],
                    "marketlot": row["lotsize"],
                    "precision": "2",
                    "multiplier": "-1",
                    "tradevalue": f"{order.filled * order.price:.2f}",
                    "transactiontype": order.side,
                    "fillprice": f"{order.price:.2f}",
                    "fillsize": str(order.filled),
                    "orderid": order.number,
                    "fillid": row["fillid"],
                    "filltime": row["filltime"],
                }
            )
        return rows or None

    def held(self) -> list[dict[str, str]] | None:
        """Rows of positions, all text; None where there are none."""
        return [self._position_row(position) for position in self.positions.values()] or None

    def _position_row(self, held: Position) -> dict[str, str]:
        instruments, line = self.board.instruments, held.line
        strike, expiry = float(instruments.strike[line]), instruments.expiry[line]
        net = held.bought - held.sold
        value = held.sold_for - held.bought_for
        buy = held.bought_for / held.bought if held.bought else 0.0
        sell = held.sold_for / held.sold if held.sold else 0.0
        net_price = f"{abs(value / net) if net else 0.0:.2f}"
        row = dict.fromkeys(("cfbuyqty", "cfsellqty"), "0")
        row |= dict.fromkeys(("cfbuyamount", "cfsellamount", "cfbuyavgprice", "cfsellavgprice"), "0.00")
        row |= dict.fromkeys(("priceden", "pricenum", "genden", "gennum", "multiplier"), "1")
        return row | {
            "exchange": instruments.exchange[line],
            "symboltoken": instruments.token[line],
            "producttype": held.product,
            "tradingsymbol": instruments.symbol[line],
            "symbolname": instruments.name[line],
            "instrumenttype": instrument_type(instruments.kind[line], self._is_index(line)),
            "precision": "2",
            "boardlotsize": str(int(instruments.lot[line])),
            "buyqty": str(held.bought),
            "sellqty": str(held.sold),
            "buyamount": f"{held.bought_for:.2f}",
            "sellamount": f"{held.sold_for:.2f}",
            "symbolgroup": "XX",
            "strikeprice": f"{strike:g}" if np.isfinite(strike) else "-1",
            "optiontype": instruments.kind[line] if np.isfinite(strike) else "",
            "expirydate": f"{expiry:%d%b%Y}".upper() if expiry else "",
            "lotsize": str(int(instruments.lot[line])),
            "buyavgprice": f"{buy:.2f}",
            "sellavgprice": f"{sell:.2f}",
            "avgnetprice": net_price,
            # With a blank after the minus, as the broker's own sample has it.
            "netvalue": f"- {-value:.2f}" if value < 0 else f"{value:.2f}",
            "netqty": str(net),
            "totalbuyvalue": f"{held.bought_for:.2f}",
            "totalsellvalue": f"{held.sold_for:.2f}",
            "totalbuyavgprice": f"{buy:.2f}",
            "totalsellavgprice": f"{sell:.2f}",
            "netprice": net_price,
        }

    def _hold(self, line: int, product: str, units: int, price: float) -> None:
        held = self.positions.setdefault((line, product), Position(line, product))
        if units > 0:
            held.bought, held.bought_for = held.bought + units, held.bought_for + units * price
        else:
            held.sold, held.sold_for = held.sold - units, held.sold_for - units * price

    def _open_order(self, body: Mapping[str, Any]) -> Order:
        for order in self.orders:
            if order.number == str(body.get("orderid")) and order.status == _OPEN:
                return order
        raise Refused(refusal("AB1013", "Order not found"))

    def _is_index(self, line: int) -> bool:
        instruments = self.board.instruments
        return bool(instruments.is_index[instruments.cash_line(instruments.name[line])])

    def _changed(self, order: Order) -> None:
        order.changed_at = self.now()
        for tell in self.told:
            tell(order)


def instrument_type(kind: str, index: bool) -> str:
    """The broker's word for a kind of instrument on an index or a share."""
    if kind in ("INDEX", "STOCK"):
        return "AMXIDX" if kind == "INDEX" else ""
    return ("FUT" if kind == "FUT" else "OPT") + ("IDX" if index else "STK")
