"""What a reply of the broker means: data, or one of our errors. Pure.

Main entry: `data_of`. The broker refuses in several dialects: ``status``/``errorcode`` and ``success``/``errorCode`` in
JSON, most of them with HTTP 200; plain text with 403 for too many requests; HTML of its firewall, 403 as well; an empty
400. Source: https://smartapi.angelone.in/docs and what projects that use it have recorded.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from optionscanner.errors import LoginExpired, LoginRefused, NoData, RateLimited, SourceError

_SESSION_ENDED = frozenset(("AG8001", "AG8002", "AG8003", "AB8050", "AB8051", "AB1010", "AB1011"))
_RATE = frozenset(("AB1021",))
_NOTHING = frozenset(("AB9019",))

_TO_DO = {
    "AG8004": "the API key is not known; take it from the broker's page of API keys and set it again",
    "AB1050": "the one-time code is wrong; check the TOTP secret and the clock of this machine",
    "AB1007": "the client code or PIN is wrong; set them again (several wrong tries lock the account)",
    "AB1006": "the broker has blocked this client; ask the broker",
    "AB1000": "the client code or PIN has the wrong form; set them again",
    "AB1001": "the client code or PIN has the wrong form; set them again",
    "AB1002": "the client code or PIN has the wrong form; set them again",
    "AB1003": "the client code or PIN has the wrong form; set them again",
    "AB1005": "the kind of user is wrong; set client code and PIN again",
    "AB1031": "the PIN is an old one; set it again",
    "AB1032": "the client code is not known; set it again",
}
"""Refusals that another try would not change -> what the user must do."""

_LONGEST = 120
"""Characters of the broker's own words that are passed on."""


def data_of(what: str, status: int, content: bytes, *, secrets: Collection[str] = ()) -> Any:
    """The ``data`` of a reply to `what` (for the sentence, such as "quotes"), any JSON value.

    Raises RateLimited, LoginExpired, LoginRefused, NoData or, for everything else, SourceError; no sentence ever holds
    one of the `secrets`.
    """
    body = _object(what, status, content, secrets)
    accepted = body.get("status", body.get("success"))
    if accepted is True or (isinstance(accepted, str) and accepted.lower() == "true"):
        return body.get("data")
    raise _refusal(what, body, secrets)


def _object(what: str, status: int, content: bytes, secrets: Collection[str]) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise _unreadable(what, status, content, secrets) from None
    if not isinstance(body, dict) or not {"status", "success"} & body.keys():
        raise SourceError(
            f"{what}: Angel One's reply has no status (HTTP {status}), {_words(content, secrets)}; tried again later"
        )
    return body


def _unreadable(what: str, status: int, content: bytes, secrets: Collection[str]) -> SourceError:
    """The error for a reply that is not JSON. A 403 alone says nothing: throttling and firewall share it."""
    text = content[:2000].decode("utf-8", "replace").lower()
    if "exceeding access rate" in text or "exceeding rate limit" in text or "too many requests" in text:
        return RateLimited(f"{what}: Angel One says that requests come too fast; waiting before the next one")
    if "request rejected" in text or "<html" in text:
        return SourceError(
            f"{what}: Angel One's firewall refused the request (HTTP {status}), which is no matter of the login; "
            "tried again later, and if it stays, ask the broker whether this network is blocked"
        )
    came = _words(content, secrets) if content.strip() else "an empty body"
    return SourceError(f"{what}: Angel One's reply is not JSON (HTTP {status}), {came}; tried again later")


def _refusal(what: str, body: dict[str, Any], secrets: Collection[str]) -> SourceError:
    code = str(body.get("errorcode") or body.get("errorCode") or "").strip().upper()
    said = _words(str(body.get("message") or "no reason given").encode(), secrets)
    if code in _SESSION_ENDED:
        return LoginExpired(f"{what}: Angel One has ended the session ({_code(code)}, {said}); logging in again")
    if code in _RATE:
        return RateLimited(f"{what}: Angel One says that requests come too fast ({code}); waiting before the next one")
    if code in _NOTHING:
        return NoData(f"{what}: Angel One has no data for it ({code}, {said})")
    if code in _TO_DO:
        return LoginRefused(f"{what}: Angel One refused it ({code}, {said}): {_TO_DO[code]}")
    return SourceError(f"{what}: Angel One refused it ({_code(code)}, {said}); tried again later")


def _code(code: str) -> str:
    """A code as it may stand in a sentence: the broker's are short and plain."""
    return code if code.isascii() and code.isalnum() and len(code) <= 12 else "no code"


def _words(content: bytes, secrets: Collection[str]) -> str:
    """The broker's own words in quotation marks: one line, not long, without secrets."""
    text = content[: 4 * _LONGEST + 4096].decode("utf-8", "replace")
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f'"{text[:_LONGEST]}"'
