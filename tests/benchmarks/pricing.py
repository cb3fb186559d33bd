"""Speed and accuracy of the pricing kernel beside vollib, in one run: `python -m tests.benchmarks.pricing`.

A seeded market of 17,000 legs with quotes on the tick. Accuracy is against fifty digits, on every tenth leg. One
thread: the process is bound to one processor, and neither the kernel nor vollib (plain Python) calls a threaded
library.
"""

import argparse
import os
import time

import numpy as np
from lets_be_rational import implied_volatility_from_a_transformed_rational_guess as lets_be_rational
from vollib.black.greeks import analytical as vollib

from optionscanner.analytics import black76
from optionscanner.analytics.implied_volatility import implied_volatility
from optionscanner.model.reasons import Reason, words
from tests import high_precision

LEGS = 17_000
TICK = 0.05


def market(rng):
    """Legs of some 210 chains of 41 strikes: 3 to 40 days, 8 % to 60 % with a smile, quotes rounded to the tick."""
    strikes = 41
    chains = -(-LEGS // (2 * strikes))
    forward = np.exp(rng.uniform(np.log(100.0), np.log(60_000.0), chains))[:, None, None]
    days = rng.choice([3.0, 10.0, 24.0, 38.0], chains)[:, None, None]
    at_the_money = rng.uniform(0.08, 0.6, chains)[:, None, None]
    deviation = np.linspace(-4.0, 4.0, strikes)[None, :, None]
    years = (days + 0.2) / 365
    strike = forward * np.exp(deviation * at_the_money * np.sqrt(years))
    volatility = at_the_money * (1.0 - 0.04 * deviation + 0.02 * deviation**2)
    is_call = np.array([True, False])
    legs = np.broadcast_arrays(forward, np.round(strike, 1), years, np.full_like(forward, 0.055), is_call)
    names = ("forward", "strike", "time_to_expiry", "rate", "is_call")
    legs = {name: values.reshape(-1)[:LEGS].copy() for name, values in zip(names, legs, strict=True)}
    volatility = np.broadcast_to(volatility, (chains, strikes, 2)).reshape(-1)[:LEGS].copy()
    value = black76.price(**legs, volatility=volatility)
    return legs, volatility, np.maximum(np.round(value / TICK), 1.0) * TICK


def nanoseconds(call, contracts, repetitions):
    """Median and 95th percentile of one call, per contract."""
    call()
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - start)
    return np.percentile(taken, [50, 95]) / contracts


def show(name, speed, error):
    print(f"{name:<44}{speed[0]:>12,.0f}{speed[1]:>12,.0f}   {error}")


def truth(legs, quotes, found, rows):
    """Volatilities with fifty digits of the given rows, from the exact quotes."""
    exact = []
    for row in rows:
        leg = {name: values[row] for name, values in legs.items()}
        exact.append(float(high_precision.implied_volatility(**leg, price=quotes[row], start=found[row])))
    return np.array(exact)


def peer_volatility(legs, quotes, rows):
    discount = np.exp(-legs["rate"] * legs["time_to_expiry"])
    return np.array([
        lets_be_rational(
            quotes[row] / discount[row],
            legs["forward"][row],
            legs["strike"][row],
            legs["time_to_expiry"][row],
            1.0 if legs["is_call"][row] else -1.0,
        )
        for row in rows
    ])


def peer_greeks(legs, volatility, rows):
    """vollib's five: delta, gamma, vega, theta, rho, in our units (they are its units too)."""
    functions = (vollib.delta, vollib.gamma, vollib.vega, vollib.theta, vollib.rho)
    names = ("forward", "strike", "time_to_expiry", "rate")
    return np.array([
        [
            function("c" if legs["is_call"][row] else "p", *(legs[name][row] for name in names), volatility[row])
            for function in functions
        ]
        for row in rows
    ])


def exact_greeks(legs, volatility, rows):
    """delta, gamma, vega, theta, rho with fifty digits, by differences of the price."""
    table = []
    for row in rows:
        leg = {name: values[row] for name, values in legs.items()}
        sigma = volatility[row]

        def at(name, *, order=1, leg=leg, sigma=sigma):
            inputs = leg | {"volatility": sigma}
            value, here = lambda x: high_precision.price(**(inputs | {name: x})), inputs[name]
            return high_precision.derivative(value, here, order=order, step=here * 1e-13)

        table.append([
            at("forward"),
            at("forward", order=2),
            at("volatility") / 100,
            -at("time_to_expiry") / 365,
            at("rate") / 100,
        ])
    return np.array(table, dtype=float)


def relative(found, exact):
    return f"{np.nanmax(np.abs(found / exact - 1.0)):.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=300)
    repetitions = parser.parse_args().repetitions
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    legs, volatility, quotes = market(np.random.default_rng(76))
    found, reason = implied_volatility(**legs, price=quotes)
    counts = np.bincount(reason, minlength=256)
    absent = ", ".join(f"{counts[code]} {words[code]}" for code in Reason if code and counts[code])
    print(f"{LEGS:,} legs, {counts[0]:,} with a volatility ({absent}); {repetitions} repetitions, one thread")
    print(f"{'ns per contract':<44}{'median':>12}{'95 %':>12}   worst relative error")

    sample = np.flatnonzero(reason == Reason.OK)[::10]
    outside = (legs["forward"] > legs["strike"])[sample] != legs["is_call"][sample]
    exact = truth(legs, quotes, found, sample)
    peer = peer_volatility(legs, quotes, sample)

    def volatility_errors(values):
        return f"{relative(values[outside], exact[outside])} out of the money, {relative(values, exact)} all"

    speed = nanoseconds(lambda: implied_volatility(**legs, price=quotes), LEGS, repetitions)
    show("implied volatility", speed, volatility_errors(found[sample]))
    speed = nanoseconds(lambda: peer_volatility(legs, quotes, sample), sample.size, 3)
    show("  lets_be_rational", speed, volatility_errors(peer))

    sample = np.arange(0, LEGS, 40)
    exact = exact_greeks(legs, volatility, sample)
    greeks = black76.greeks(**legs, volatility=volatility)
    ours = np.column_stack([greeks.delta, greeks.gamma, greeks.vega, greeks.theta, greeks.rho])[sample]
    speed = nanoseconds(lambda: black76.greeks(**legs, volatility=volatility), LEGS, repetitions)
    show("all eight Greeks", speed, relative(ours, exact))
    rows = {name: values[: LEGS // 2] for name, values in legs.items() if name != "is_call"}
    speed = nanoseconds(lambda: black76.ladder_greeks(**rows, volatility=volatility[: LEGS // 2]), LEGS, repetitions)
    show("all eight Greeks, both sides of a strike", speed, "the same formulas")
    speed = nanoseconds(lambda: peer_greeks(legs, volatility, sample), sample.size, 3)
    show("  vollib, five Greeks", speed, relative(peer_greeks(legs, volatility, sample), exact))
    speed = nanoseconds(lambda: black76.price(**legs, volatility=volatility), LEGS, repetitions)
    show("price", speed, "tests/test_black76.py")


if __name__ == "__main__":
    main()
