"""What `python -m tests.broker` does once everything is installed."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from dataclasses import asdict, replace
from datetime import datetime, time
from pathlib import Path

from tests.broker.market import Source, recorded, simulated
from tests.broker.quotes import INDIA
from tests.broker.server import StandIn
from tests.broker.settings import Settings


def run(arguments: list[str]) -> int:
    """Serve until Ctrl-C; with --json until standard input ends."""
    chosen = parser().parse_args(arguments)
    if chosen.recorded is not None:
        source = recorded(chosen.recorded)
    else:
        symbols = None if chosen.symbols is None else chosen.symbols.split(",")
        source = simulated(seed=chosen.seed, symbols=symbols, step=chosen.step)
    with StandIn(source, _settings(chosen, source), port=chosen.port, control_port=chosen.control_port) as broker:
        addresses = {
            name: getattr(broker, name) for name in ("url", "master_url", "feed_url", "orders_url", "control_url")
        }
        account = asdict(broker.settings.account)
        if chosen.json:
            _say(json.dumps({**addresses, "account": account}))
            sys.stdin.read()
            return 0
        for name, value in {**addresses, **account}.items():
            _say(f"{name.replace('_', ' '):<12} {value}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            _say(json.dumps(broker.control.report(), indent=2))
    return 0


def _settings(chosen: argparse.Namespace, source: Source) -> Settings:
    settings = Settings(
        speed=chosen.speed,
        wall=chosen.wall,
        limits=chosen.limits,
        limit_grace=chosen.limit_grace,
        idle_seconds=chosen.idle_seconds,
        master_rows=chosen.master_rows,
    )
    if chosen.start is None:
        return settings
    day = source.market.day.session.date
    return replace(settings, start=datetime.combine(day, chosen.start, tzinfo=INDIA).timestamp())


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser("python -m tests.broker", description="A stand-in for the broker, on loopback.")
    options.add_argument("--port", type=int, default=0, help="port of the broker; one is chosen without it")
    options.add_argument("--control-port", type=int, default=0, help="port of the control")
    options.add_argument(
        "--recorded", type=Path, metavar="FOLDER", help="a recorded day, instead of the simulated market"
    )
    options.add_argument("--seed", type=int, default=7, help="of the simulated market")
    options.add_argument("--symbols", metavar="A,B", help="only these names of the simulated market")
    options.add_argument("--step", type=int, default=30, help="seconds between its observations")
    options.add_argument(
        "--start", type=time.fromisoformat, metavar="HH:MM", help="the broker's time; without it the open"
    )
    options.add_argument("--speed", type=float, default=1.0, help="the broker's seconds per real second")
    options.add_argument("--wall", choices=["machine", "broker"], default="machine", help="whose time logins follow")
    options.add_argument(
        "--limits", choices=["real", "scaled", "off"], default="real", help="scaled: as fast as --speed"
    )
    options.add_argument("--limit-grace", type=float, default=0.0, help="real seconds by which windows are shorter")
    options.add_argument("--idle-seconds", type=float, default=120.0, help="until a silent feed is closed")
    options.add_argument("--master-rows", type=int, default=0, help="least rows of the instrument master")
    options.add_argument("--json", action="store_true", help="say the addresses as JSON, and end with standard input")
    return options


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
