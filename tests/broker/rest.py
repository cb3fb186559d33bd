"""Every path that the broker serves, and what answers it."""

from __future__ import annotations

import numpy as np
from aiohttp import web

from tests.broker import greeks, history, rankings
from tests.broker.envelopes import TRY_LATER, refusal, success
from tests.broker.faults import unfetched
from tests.broker.gateway import Answer, Call, Route
from tests.broker.quotes import MODES, MOST_TOKENS, records

AUTH = "/rest/auth/angelbroking"
SECURE = "/rest/secure/angelbroking"
GTT = f"/gtt-service{SECURE}/gtt/v1"
MASTER_PATH = "/OpenAPI_File/files/OpenAPIScripMaster.json"

_MONEY = (
    "net availablecash availableintradaypayin availablelimitmargin collateral m2munrealized m2mrealized utiliseddebits "
    "utilisedspan utilisedoptionpremium utilisedholdingsales utilisedexposure utilisedturnover utilisedpayout"
).split()


def routes() -> dict[str, Route]:
    """Path -> how it is served."""
    order, quote = f"{SECURE}/order/v1", f"{SECURE}/market/v1/quote"
    lists, past = f"{SECURE}/marketData/v1", f"{SECURE}/historical/v1"
    found = {
        f"{AUTH}/user/v1/loginByPassword": Route("POST", "login", _login, secure=False),
        f"{AUTH}/jwt/v1/generateTokens": Route("POST", "token", _renew, secure=False),
        f"{SECURE}/user/v1/getProfile": Route("GET", "profile", lambda call: success(call.parts.sessions.profile())),
        f"{SECURE}/user/v1/logout": Route("POST", "logout", _logout),
        f"{SECURE}/user/v1/getRMS": Route("GET", "rms", _funds),
        quote: Route("POST", "quote", _quote),
        f"{order}/getLtpData": Route("POST", "ltp", _last_price),
        f"/order-service{order}/getLtpData": Route("POST", "ltp", _last_price),
        f"{order}/searchScrip": Route("POST", "search", _search),
        f"{past}/getCandleData": Route("POST", "candles", lambda call: history.candles(call.parts.board, call.body)),
        f"{past}/getOIData": Route("POST", "candles", lambda call: history.past_interest(call.parts.board, call.body)),
        f"{lists}/optionGreek": Route("POST", "greeks", lambda call: greeks.option_greeks(call.parts.board, call.body)),
        f"{lists}/gainersLosers": Route(
            "POST", "gainers", lambda call: rankings.gainers_and_losers(call.parts.board, call.body)
        ),
        f"{lists}/OIBuildup": Route("POST", "build-up", lambda call: rankings.build_up(call.parts.board, call.body)),
        f"{lists}/putCallRatio": Route(
            "GET", "put call ratio", lambda call: rankings.put_call_ratios(call.parts.board)
        ),
        f"{order}/placeOrder": Route("POST", "order", _place),
        f"{order}/modifyOrder": Route("POST", "order", _modify),
        f"{order}/cancelOrder": Route("POST", "order", _cancel),
        f"{order}/getOrderBook": Route("GET", "order book", lambda call: success(call.parts.orders.book())),
        f"{order}/getTradeBook": Route("GET", "trade book", lambda call: success(call.parts.orders.trades())),
        f"{order}/getPosition": Route("GET", "position", lambda call: success(call.parts.orders.held())),
        f"{order}/details": Route("GET", "order details", _details, prefix=True),
        f"{order}/convertPosition": Route("POST", "convert", _empty),
        f"{SECURE}/portfolio/v1/getHolding": Route("GET", "holding", _empty),
        f"{SECURE}/portfolio/v1/getAllHolding": Route("GET", "all holding", _empty),
        f"{SECURE}/margin/v1/batch": Route("POST", "margin", _empty),
        f"{SECURE}/brokerage/v1/estimateCharges": Route("POST", "charges", _empty),
        f"{SECURE}/securities/v1/cautionaryScrips": Route("GET", "intraday", _nothing),
    }
    for name in ("nseIntraday", "bseIntraday"):
        found[f"{lists}/{name}"] = Route("GET", "intraday", _nothing)
    for name in ("createRule", "modifyRule", "cancelRule"):
        found[f"{GTT}/{name}"] = Route("POST", "gtt change", _empty)
    for name in ("ruleDetails", "ruleList"):
        found[f"{SECURE}/gtt/v1/{name}"] = Route("POST", "gtt list", _empty)
    for name in ("verifyDis", "generateTPIN", "getTranStatus"):
        found[f"{SECURE}/edis/v1/{name}"] = Route("POST", "edis", _empty)
    return found


def _login(call: Call) -> web.Response:
    return success(call.parts.sessions.login(call.body, call.api_key))


def _renew(call: Call) -> web.Response:
    return success(call.parts.sessions.renew(call.body))


def _logout(call: Call) -> web.Response:
    if call.session is None or call.body.get("clientcode") != call.session.client:
        return refusal("AB1011", "Client not login")
    call.parts.sessions.logout(call.session)
    return success("")


def _funds(call: Call) -> web.Response:
    zeros = dict.fromkeys(_MONEY, "0.0000")
    return success(zeros | {"net": "1000000.0000", "availablecash": "1000000.0000"})


def _quote(call: Call) -> web.Response:
    mode, wanted = call.body.get("mode"), call.body.get("exchangeTokens")
    if mode not in MODES or not isinstance(wanted, dict):
        return web.Response(status=400)
    pairs = [(exchange, token) for exchange, tokens in wanted.items() for token in tokens]
    if len(pairs) > MOST_TOKENS:
        return refusal("AB4018", f"Maximum {MOST_TOKENS} tokens are allowed in a request")
    instruments = call.parts.board.instruments
    known = {pair: instruments.by_token[pair] for pair in pairs if pair in instruments.by_token}
    # Not in the order in which they were asked for: who relies on it, shall find out.
    lines = np.array(sorted(known.values(), key=lambda line: (line * 7919) % 10007), dtype=np.int64)
    values = call.parts.spoiled.seen(lines)
    lines, values = lines[values.seen], values.at(values.seen)
    told = set(lines.tolist())
    fetched = records(str(mode), lines, values, instruments)
    missing = [unfetched(*pair) for pair in dict.fromkeys(pairs) if known.get(pair) not in told]
    return success({"fetched": fetched, "unfetched": missing})


def _last_price(call: Call) -> web.Response:
    instruments, body = call.parts.board.instruments, call.body
    line = instruments.by_token.get((str(body.get("exchange")), str(body.get("symboltoken"))))
    if line is None or instruments.symbol[line] != body.get("tradingsymbol"):
        return refusal("AB1018", "Failed to get symbol details")
    lines = np.array([line])
    values = call.parts.spoiled.seen(lines)
    (shown,) = records("OHLC", lines, values, instruments)
    shown["tradingsymbol"], shown["symboltoken"] = shown.pop("tradingSymbol"), shown.pop("symbolToken")
    return success(shown)


def _search(call: Call) -> web.Response:
    instruments, word = call.parts.board.instruments, str(call.body.get("searchscrip", "")).upper()
    if not word:
        return refusal(*TRY_LATER)
    return success(
        [
            {"exchange": exchange, "tradingsymbol": symbol, "symboltoken": instruments.token[line]}
            for (exchange, symbol), line in instruments.by_symbol.items()
            if exchange == call.body.get("exchange") and symbol.upper().startswith(word)
        ]
    )


def _from_known_address(answer: Answer) -> Answer:
    """Orders are taken from the registered address only."""

    def checked(call: Call) -> web.Response:
        allowed = call.parts.settings.order_addresses
        if allowed is not None and call.address not in allowed:
            return refusal("AB1004", "IP address is not registered")
        return answer(call)

    return checked


@_from_known_address
def _place(call: Call) -> web.Response:
    placed = call.parts.orders.place(call.body)
    return web.Response(status=400) if placed is None else success(placed)


@_from_known_address
def _modify(call: Call) -> web.Response:
    return success(call.parts.orders.modify(call.body))


@_from_known_address
def _cancel(call: Call) -> web.Response:
    return success(call.parts.orders.cancel(call.body))


def _details(call: Call) -> web.Response:
    unique = call.path.rpartition("/")[2]
    found = [order for order in call.parts.orders.orders if order.unique == unique]
    return success(call.parts.orders.row(found[0])) if found else refusal("AB1013", "Order not found")


def _empty(call: Call) -> web.Response:
    """Parts of the account that this stand-in does not fill."""
    return success(None)


def _nothing(call: Call) -> web.Response:
    return success([])
