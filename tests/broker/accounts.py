"""Logins: PIN and TOTP, the three tokens, how long they live, and who may open a feed.

Main entry: `Sessions`. Tokens are shaped like real ones (a JWT with `exp`), so that a client can read when they end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyotp

from tests.broker.envelopes import Refused, gateway_refusal, refusal
from tests.broker.quotes import INDIA
from tests.broker.settings import Settings

_KEY = b"a stand-in signs with this"
_HEADER_ERROR = "Invalid Header - Invalid "


@dataclass
class Session:
    """One login."""

    client: str
    api_key: str
    jwt: str
    refresh: str
    feed: str
    ends: float
    """By the wall's time, seconds since 1970 UTC."""
    alive: bool = True
    """False after logout: requests are refused from then on, while feeds can still be opened."""


class Sessions:
    """Every login of the account."""

    def __init__(self, settings: Settings, wall: Callable[[], float]) -> None:
        self._settings = settings
        self._account = settings.account
        self._wall = wall
        self._sessions: list[Session] = []
        self._wrong_pins = 0
        self._issued = 0
        self.blocked = False
        """Set by too many wrong PINs, or by a test."""
        self.logins: Counter[str] = Counter()
        """What became of each login: ok, totp, pin, blocked, key."""

    def login(self, body: Mapping[str, Any], api_key: str) -> dict[str, str]:
        """Tokens for client code, PIN and TOTP; raises Refused."""
        if self.blocked:
            self._refuse("blocked", gateway_refusal("AB1006", "Client is blocked for trading"))
        if api_key != self._account.api_key:
            self._refuse("key", gateway_refusal("AG8004", "Invalid API Key"))
        if body.get("clientcode") != self._account.client_code or body.get("password") != self._account.pin:
            self._wrong_pins += 1
            self.blocked = self._wrong_pins >= self._settings.wrong_pins
            self._refuse("pin", refusal("AB1007", "Invalid clientcode or password"))
        now = datetime.fromtimestamp(self._wall(), INDIA)
        if not pyotp.TOTP(self._account.totp_secret).verify(str(body.get("totp")), for_time=now, valid_window=1):
            self._refuse("totp", refusal("AB1050", "Invalid totp"))
        self._wrong_pins = 0
        self.logins["ok"] += 1
        return _tokens(self._open(api_key))

    def renew(self, body: Mapping[str, Any]) -> dict[str, str]:
        """New tokens for a refresh token; raises Refused."""
        found = [s for s in self._sessions if s.refresh == body.get("refreshToken")]
        if not found:
            raise Refused(refusal("AB8050", "Invalid Refresh Token", data=""))
        if not found[0].alive or found[0].ends <= self._wall():
            raise Refused(refusal("AB8051", "Refresh Token Expired", data=""))
        return _tokens(self._open(found[0].api_key))

    def who(self, authorization: str, api_key: str) -> Session:
        """The login behind a bearer token; raises Refused."""
        token = authorization.removeprefix("Bearer ")
        if not token:
            raise Refused(gateway_refusal("AG8003", "Token missing"))
        found = [s for s in self._sessions if s.jwt == token]
        if not found or not found[0].alive:
            raise Refused(gateway_refusal("AG8001", "Invalid Token"))
        if found[0].ends <= self._wall():
            raise Refused(gateway_refusal("AG8002", "Token Expired"))
        if found[0].api_key != api_key:
            raise Refused(gateway_refusal("AG8004", "Invalid API Key"))
        return found[0]

    def update_status(self, authorization: str) -> int:
        """HTTP status for the order-update socket: 101 where it may be opened, 401 invalid, 403 expired token."""
        found = [s for s in self._sessions if s.jwt == authorization.removeprefix("Bearer ")]
        if not found or not found[0].alive:
            return 401
        return 101 if found[0].ends > self._wall() else 403

    def logout(self, session: Session) -> None:
        """The session is over."""
        session.alive = False

    def feed_error(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """Why a feed may not be opened, in the words of `x-error-message`; None where it may.

        With browser-style query parameters, which hold no JWT, that one is not asked for.
        """
        browser = "x-client-code" not in headers
        client = query.get("clientCode") if browser else headers.get("x-client-code")
        key = query.get("apiKey") if browser else headers.get("x-api-key")
        feed = query.get("feedToken") if browser else headers.get("x-feed-token")
        valid = [s for s in self._sessions if s.ends > self._wall()]
        jwt = headers.get("Authorization", "").removeprefix("Bearer ")
        if not browser and not any(s.jwt == jwt for s in valid):
            return f"{_HEADER_ERROR}Auth token"
        if client != self._account.client_code:
            return f"{_HEADER_ERROR}Client Code"
        if key != self._account.api_key:
            return f"{_HEADER_ERROR}API Key"
        return None if any(s.feed == feed for s in valid) else f"{_HEADER_ERROR}Feed Token"

    def revoke(self, *, expired: bool = False) -> None:
        """All tokens die now: as expired ones, or as ones that were never given."""
        if expired:
            for session in self._sessions:
                session.ends = min(session.ends, self._wall())
        else:
            self._sessions.clear()

    def profile(self) -> dict[str, Any]:
        """Data of `getProfile`."""
        return {
            "clientcode": self._account.client_code,
            "name": self._account.name,
            "email": "",
            "mobileno": "",
            "exchanges": ["bse_fo", "cde_fo", "mcx_fo", "nse_fo", "bse_cm", "nse_cm"],
            "products": ["DELIVERY", "INTRADAY", "CARRYFORWARD", "MARGIN", "BO"],
            "lastlogintime": "",
            "brokerid": "B2C",
        }

    def _refuse(self, outcome: str, reply: Any) -> None:
        self.logins[outcome] += 1
        raise Refused(reply)

    def _open(self, api_key: str) -> Session:
        now = self._wall()
        life = self._settings.session_seconds
        today = datetime.fromtimestamp(now, INDIA).replace(hour=0, minute=0, second=0, microsecond=0)
        ends = (today + timedelta(days=1)).timestamp() if life is None else now + life
        self._issued += 1
        jwt, refresh, feed = (self._signed(kind, now, ends) for kind in ("trade", "refresh", "feed"))
        session = Session(self._account.client_code, api_key, jwt, refresh, feed, ends)
        self._sessions.append(session)
        return session

    def _signed(self, kind: str, now: float, ends: float) -> str:
        claims = {
            "username": self._account.client_code,
            "usertype": "USER",
            "kind": kind,
            "iss": "stand-in",
            "jti": str(self._issued),
            "iat": int(now),
            "exp": int(ends),
        }
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signature = hmac.new(_KEY, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _encoded(signature)])


def _tokens(session: Session) -> dict[str, str]:
    return {"jwtToken": session.jwt, "refreshToken": session.refresh, "feedToken": session.feed, "state": "live"}


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode("ascii")
