"""The stand-in in a process of its own, for tests that measure, and the control of any stand-in by HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
_START_SECONDS = 60.0
_END_SECONDS = 10.0


class RemoteControl:
    """The methods of `control.Control`, asked for by HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Proxies of the environment are for the world outside.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(**named: Any) -> Any:
            body = json.dumps(named).encode("utf-8")
            request = urllib.request.Request(f"{self._url}/{name}", data=body, method="POST")
            try:
                with self._opener.open(request, timeout=30.0) as reply:
                    return json.load(reply)["result"]
            except urllib.error.HTTPError as refused:
                with refused:
                    raise ValueError(json.load(refused)["error"]) from None

        return ask


class StandInProcess:
    """`python -m tests.broker` with some options, as a context manager; it ends with whoever started it.

    `addresses` holds url, feed_url, orders_url, master_url, control_url and the account.
    """

    def __init__(self, *options: object) -> None:
        self._command = [sys.executable, "-m", "tests.broker", "--json", *(str(option) for option in options)]

    def __enter__(self) -> StandInProcess:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self._process.stdout is not None
        late = threading.Timer(_START_SECONDS, self._process.kill)
        late.start()
        line = self._process.stdout.readline()
        late.cancel()
        if not line:
            self.__exit__()
            raise RuntimeError(f"the stand-in did not start: {' '.join(self._command)}")
        self.addresses: dict[str, Any] = json.loads(line)
        self.control = RemoteControl(self.addresses["control_url"])
        return self

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_SECONDS)
