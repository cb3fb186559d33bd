"""The forms of the broker's answers: success, refusal, the gateway's refusal, and texts that are no JSON."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

RATE_TEXT = "Access denied because of exceeding access rate"
FIREWALL = (
    "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your "
    "administrator.<br><br>Your support ID is: 14934366515360987309<br><br></body></html>"
)
TRY_LATER = ("AB1004", "Something Went Wrong, Please Try After Sometime")


class Refused(Exception):
    """A request that the broker does not serve; `reply` is what it says instead."""

    def __init__(self, reply: web.Response) -> None:
        super().__init__(reply.text)
        self.reply = reply


def answer(body: Any, *, status: int = 200) -> web.Response:
    """Any value as JSON."""
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(body=text.encode("utf-8"), status=status, content_type="application/json")


def success(data: Any) -> web.Response:
    """What was asked for."""
    return answer({"status": True, "message": "SUCCESS", "errorcode": "", "data": data})


def refusal(code: str, message: str, *, data: Any = None, status: int = 200) -> web.Response:
    """A refusal of the broker's own services, with HTTP 200 as ordinary ones have."""
    return answer({"status": False, "message": message, "errorcode": code, "data": data}, status=status)


def gateway_refusal(code: str, message: str, *, status: int = 200) -> web.Response:
    """A refusal in the gateway's own words: other names for the same things, and empty text for data."""
    return answer({"success": False, "message": message, "errorCode": code, "data": ""}, status=status)


def too_many() -> web.Response:
    """The answer to a request above a limit: plain text."""
    return web.Response(text=RATE_TEXT, status=403, content_type="text/plain")


def rejected() -> web.Response:
    """The firewall's page."""
    return web.Response(text=FIREWALL, status=403, content_type="text/html")
