"""Takes secrets out of texts that leave the machine. Main entries: `secrets_of` and `redacted`.

Two ways at once: every value that is known to be secret, however it is written, and every value that stands behind a
word such as password, token or key, or looks like one of the tokens that brokers give out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, quote_plus

HIDDEN = "***"

_LEAST = 4
"""Letters of the shortest secret that is looked for by its value: a shorter one would blank half of every line."""

_WORDS = frozenset(("true", "false", "none", "null"))
_SECRET_NAME = re.compile(r"SMARTAPI|KEY|SECRET|PASS|PWD|TOKEN|TOTP|MPIN|CREDENTIAL|AUTH|COOKIE", re.IGNORECASE)
_HARMLESS = frozenset(("PWD", "OLDPWD"))
"""Every shell keeps the names of folders in them."""
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$", re.MULTILINE)
_NAMED = re.compile(
    r"""
    ( [\w.-]*
      (?: (?:api|app|access|private|feed)[_-]?key | secret | passw(?:or)?d | passphrase | pwd | m?pin\b | totp | otp\b
        | token | jwt | authori[sz]ation | auth[_-]?code | client[_-]?(?:id|code) | credential | cookie
        | session[_-]?id )
      [\w.-]* ["']? )
    (?: (\s*:\s*) ("(?:[^"\\]|\\.)*" | '[^']*' | [^\n]+)
      | (\s*=\s*) ("(?:[^"\\]|\\.)*" | '[^']*' | (?:Bearer|Basic)\s+\S+ | [^\s,;&}\])]+) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SHAPES = (
    re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+)*"),  # JSON web tokens
    re.compile(r"(?<=\bBearer )\S+|(?<=\bBasic )[\w+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"),  # name and password in an address
    re.compile(r"\b[A-Z2-7]{16,}\b=*"),  # base32, the form of one-time-password seeds
    re.compile(r"(?<![\w+-])(?=[\w+-]*\d)[A-Za-z0-9_+-]{40,}={0,2}"),
)


def secrets_of(environment: Mapping[str, str], assignments: str = "") -> frozenset[str]:
    """Values that must not leave the machine: of variables with a telling name, and of all lines ``NAME=value``.

    `assignments` is the text of a file such as ``.env``, every value of which counts.
    """
    values = {value for name, value in environment.items() if _SECRET_NAME.search(name) and name not in _HARMLESS}
    values |= {value.strip("\"'") for _, value in _ASSIGNMENT.findall(assignments)}
    return frozenset(value for value in values if len(value) >= _LEAST and value.lower() not in _WORDS)


def redacted(text: str, secrets: Collection[str]) -> str:
    """The text with ``***`` for everything that is a secret or looks like one."""
    for written in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = text.replace(written, HIDDEN)
    text = _NAMED.sub(lambda m: f"{m.group(1)}{m.group(2) or m.group(4)}{HIDDEN}", text)
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    return text


def _forms(secret: str) -> set[str]:
    """The ways in which programs write a text."""
    raw = secret.encode("utf-8", "surrogateescape")
    forms = {
        secret,
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(raw).decode(),
    }
    return {form for form in forms if len(form) >= _LEAST}
