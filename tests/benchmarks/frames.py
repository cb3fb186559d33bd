"""The readings with one pandas frame per underlying, as such programs are usually written: the engines' competitor.

The formulas are written anew here, so that equal numbers are a check as well; `NameEngine` holds one underlying.
"""

import math

import numpy as np
import pandas as pd

NAN = float("nan")
WORDS = {1: "BULLISH", -1: "BEARISH", 0: "NEUTRAL"}


def frame_of(chains, pricing, segment):
    """The chain as a frame, a row per strike, and its single numbers: what a source would hand over."""
    rows = slice(int(chains.layout.starts[segment]), int(chains.layout.ends[segment]))
    columns = {"strike": chains.layout.strike[rows]}
    for side, name in ((0, "call"), (1, "put")):
        columns |= {
            f"{name}_open_interest": chains.legs.open_interest[rows, side],
            f"{name}_volume": chains.legs.volume[rows, side],
            f"{name}_last": chains.legs.last[rows, side],
            f"{name}_previous": chains.day.previous_open_interest[rows, side],
            f"{name}_price": pricing.price[rows, side],
            f"{name}_iv": pricing.implied_volatility[rows, side],
            f"{name}_delta": pricing.delta[rows, side],
        }
    u = int(chains.layout.segment_underlying[segment])
    single = {
        "name": chains.layout.names[u],
        "is_index": bool(chains.layout.is_index[u]),
        "lot": float(chains.layout.segment_lot_size[segment]),
        "spot": float(chains.underlyings.spot[u]),
        "previous_close": float(chains.underlyings.previous_close[u]),
        "at": float(chains.stamped_at[segment]),
        "now": chains.as_of,
        "opens": chains.day.session.opens.timestamp(),
        "closes": float(chains.day.contract_close[segment]),
        "forward": float(pricing.forward[segment]),
        "future": float(pricing.future_price[segment]),
        "years": float(pricing.time_to_expiry[segment]),
        "atm_iv": float(pricing.atm_volatility[segment]),
    }
    return pd.DataFrame(columns), single


class NameEngine:
    """All readings of one underlying, from one frame after the other; what it remembers are frames and numbers."""

    def __init__(self, settings):
        self.settings = settings
        self.first = self.base = self.flows = None
        self.means, self.memory = None, {"steps": 0, "regime": 0, "candidate": None, "directed": 0, "flips": 0}
        self.memory |= {"unforgiven": 0, "at": None, "since": NAN, "armed": True, "alerted": -math.inf, "told": 0}
        self.opening, self.usual, self.own_pct, self.large = {}, settings.flow.usual_flow_pct, NAN, False

    def run(self, frame, single):
        """Readings by table; events as a frame."""
        frame = frame.copy()
        frame["offset"] = frame.index - (frame["strike"] - single["spot"]).abs().idxmin()
        made = {"price": self._price(frame, single), "open_interest": self._open_interest(frame, single)}
        made["flow"] = self._flow(frame, single)
        made["activity"] = self._activity(frame, single)
        made["readiness"] = self._readiness(made["activity"], single)
        made["alerts"] = self._alerts(made["readiness"], single)
        return made

    def _price(self, frame, single):
        atm = frame.loc[frame["offset"] == 0].iloc[0]
        straddle = atm["call_price"] + atm["put_price"]
        day = self.opening
        day.setdefault("iv", single["atm_iv"])
        day.setdefault("open", straddle)
        day["high"], day["low"] = max(day.get("high", straddle), straddle), min(day.get("low", straddle), straddle)
        quoted = frame[["call_price", "put_price"]].notna().to_numpy()
        solved = frame[["call_iv", "put_iv"]].notna().to_numpy()
        return {
            "spot": single["spot"],
            "spot_change": single["spot"] - single["previous_close"],
            "spot_change_pct": 100 * (single["spot"] / single["previous_close"] - 1),
            "forward": single["forward"],
            "basis": single["future"] - single["spot"],
            "atm_strike": atm["strike"],
            "straddle": straddle,
            "expected_move": single["atm_iv"] * single["forward"] * math.sqrt(single["years"]),
            "atm_iv": single["atm_iv"],
            "atm_iv_change": single["atm_iv"] - day["iv"],
            "straddle_open": day["open"],
            "straddle_high": day["high"],
            "straddle_low": day["low"],
            "legs_without_iv": float((quoted & ~solved).sum()),
        }

    def _open_interest(self, frame, single):
        sides = ["call_open_interest", "put_open_interest"]
        self.first = frame[sides] if self.first is None else self.first
        calls, puts = frame["call_open_interest"], frame["put_open_interest"]
        near = frame["offset"].abs() <= self.settings.open_interest.window
        strike = frame["strike"].to_numpy()
        gain = np.maximum(strike[:, None] - strike[None, :], 0)
        pain = pd.Series(gain @ calls.to_numpy() + gain.T @ puts.to_numpy(), index=strike)
        least = pain[pain == pain.min()]
        max_pain = least.index[np.argmin(np.abs(least.index - single["spot"]))]

        def wall(column):
            most = frame.loc[column == column.max(), "strike"]
            return most.iloc[int((most - single["spot"]).abs().to_numpy().argmin())]

        ratio = puts.sum() / calls.sum()
        return {
            "call_open_interest": calls.sum(),
            "put_open_interest": puts.sum(),
            "call_volume": frame["call_volume"].sum(),
            "put_volume": frame["put_volume"].sum(),
            "call_open_interest_added": (calls - frame["call_previous"]).sum(),
            "put_open_interest_added": (puts - frame["put_previous"]).sum(),
            "call_open_interest_since_first": (calls - self.first[sides[0]]).sum(),
            "put_open_interest_since_first": (puts - self.first[sides[1]]).sum(),
            "put_call_ratio": ratio,
            "put_call_ratio_window": puts[near].sum() / calls[near].sum(),
            "put_call_ratio_volume": frame["put_volume"].sum() / frame["call_volume"].sum(),
            "put_call_band": "BEARISH" if ratio < 0.7 else "BULLISH" if ratio > 1.3 else "NEUTRAL",
            "max_pain": max_pain,
            "max_pain_distance_pct": 100 * (max_pain / single["spot"] - 1),
            "call_wall": wall(calls),
            "put_wall": wall(puts),
        }

    def _flow(self, frame, single):
        rules, memory, now = self.settings.flow, self.memory, single["at"]
        names = ["call_open_interest", "put_open_interest", "call_price", "put_price", "call_iv", "put_iv"]
        if self.base is None:
            self.base, memory["at"] = frame[names], now
            self.change = frame[names] * NAN
        change = frame[names] - self.base
        if (change[names[:2]] != 0).to_numpy().any() and now - memory["at"] >= rules.min_step:
            calls, puts = change["call_open_interest"], change["put_open_interest"]
            step = frame["strike"].diff().mode().iloc[0]
            weight = np.exp(-(frame["strike"] - single["forward"]).abs() / (rules.atm_scale * step))
            flows = pd.Series({
                "net": (puts - calls).sum(),
                "atm": (weight * (puts - calls)).sum(),
                "delta": (frame["put_delta"].abs() * puts - frame["call_delta"].abs() * calls).sum(),
            })  # fmt: skip
            alpha = 1 - 2 ** (-(now - memory["at"]) / rules.half_life)
            self.means = flows if self.means is None else self.means + alpha * (flows - self.means)
            held = (weight * (frame["call_open_interest"] + frame["put_open_interest"])).sum()
            self.flow_pct, self.own_pct = 100 * self.means["atm"] / held, 100 * flows["atm"] / held
            self.large = abs(self.own_pct) > rules.least_flow_noise * self.usual
            self.next_usual = self._usual(now - memory["at"])
            self.flows, self.change, self.base = flows, change, frame[names]
            self._regime(now)
        if self.means is None:
            return {"steps": 0, "regime": "", "ewma_net": NAN}
        return {
            "net_flow": self.flows["net"],
            "atm_flow": self.flows["atm"],
            "delta_flow": self.flows["delta"],
            "ewma_net": self.means["net"],
            "ewma_atm": self.means["atm"],
            "ewma_delta": self.means["delta"],
            "flow_pct": self.flow_pct,
            "regime": WORDS[memory["regime"]],
            "regime_since": memory["since"],
            "flips": memory["flips"],
            "unforgiven_flips": memory["unforgiven"],
            "steps": memory["steps"],
            "stepped_at": memory["at"],
        }

    def _usual(self, elapsed):
        rules, before = self.settings.flow, self.usual
        weight = max(1 - 2 ** (-elapsed / rules.noise_half_life), 1 / (self.memory["steps"] + 4))
        return before + weight * (min(abs(self.own_pct), 6 * before) - before)

    def _sign(self):
        rules, memory = self.settings.flow, self.memory
        if abs(self.flow_pct) <= max(rules.dead_band_pct, rules.dead_band_noise * self.usual):
            return 0
        sign = int(np.sign(self.flow_pct))
        large = self.large and np.sign(self.own_pct) == sign and memory["steps"] >= rules.warm_up_steps
        return sign if sign == memory["regime"] or large else 0

    def _regime(self, now):
        memory, sign = self.memory, self._sign()
        regime = memory["regime"]
        flip = False
        against = bool(sign) and sign == -memory["directed"]
        if sign == memory["candidate"] and sign != memory["regime"]:
            flip = bool(sign) and memory["directed"] not in (0, sign)
            memory |= {"regime": sign, "since": now, "directed": sign or memory["directed"]}
        memory["flips"] += flip
        memory["unforgiven"] = max(memory["unforgiven"] + (1 if flip else 0 if against else -1), 0)
        if sign in (0, regime):
            self.usual = self.next_usual
        memory |= {"candidate": sign, "steps": memory["steps"] + 1, "at": now}

    def _activity(self, frame, single):
        rules, parts = self.settings.activity, []
        for option_type, name, sign in (("CE", "call", 1), ("PE", "put", -1)):
            part = frame[["strike", "offset"]].assign(option_type=option_type, sign=sign)
            for column in ("volume", "open_interest", "price", "delta"):
                part[column] = frame[f"{name}_{column}"]
            part["last_price"] = frame[f"{name}_last"]
            for column, source in (("flow", "open_interest"), ("premium_change", "price"), ("iv_change", "iv")):
                part[column] = self.change[f"{name}_{source}"]
            parts.append(part)
        legs = pd.concat(parts)
        legs["ratio"] = legs["volume"] / legs["open_interest"].clip(lower=single["lot"])
        traded = legs.loc[legs["volume"] > 0, "ratio"]
        legs["percentile"] = 100 * (traded.rank(method="min") - 1) / (len(traded) - 1) if len(traded) > 1 else NAN
        least = rules.index_ratio if single["is_index"] else rules.stock_ratio
        events = legs[
            (legs["ratio"] > least)
            & (legs["percentile"] >= rules.percentile)
            & (legs["volume"] >= rules.min_contracts * single["lot"])
            & (legs["price"] >= rules.min_premium)
        ].copy()
        bought = (events["premium_change"] > 0) & (events["iv_change"] >= -rules.iv_dead_band)
        written = (events["premium_change"] < 0) & (events["iv_change"] <= rules.iv_dead_band)
        events["side"] = np.select([bought, written], ["BUY", "WRITE"], "?")
        way = events["sign"] * (bought.astype(int) - written.astype(int))
        events["direction"] = way.map({1: "BULLISH", -1: "BEARISH", 0: ""})
        regime = self.memory["regime"] if self.means is not None else 0
        near = events["offset"].abs() <= rules.near_strikes
        held = events["open_interest"] - events["flow"]
        rose = (events["flow"] > 0) & (events["flow"] > rules.min_rise_pct / 100 * held)
        events["reason"] = np.select(
            [~rose, way == 0, pd.Series(regime == 0, events.index), way != regime, near],
            [
                "ignored: OI not rising",
                "ignored: direction unknown",
                "ignored: no regime",
                f"ignored: flow {WORDS[regime].lower()}",
                "valid, near",
            ],
            "valid, far",
        )
        events["aligned"] = events["reason"].str.startswith("valid").astype(float)
        events["score"] = 0.4 * events["percentile"] + 40 * events["aligned"] + 20 * near
        return events.sort_values(["aligned", "score", "ratio"], ascending=False, kind="stable")

    def _readiness(self, events, single):
        direction = self.memory["regime"] if self.means is not None and self._sign() == self.memory["regime"] else 0
        minutes = (single["now"] - single["opens"]) / 60, (single["closes"] - single["now"]) / 60
        rules = self.settings.readiness
        inside = minutes[0] >= rules.first_minutes and minutes[1] > rules.last_minutes
        aligned = events[events["aligned"] == 1]
        reading = {
            "structure": 0.0,
            "trigger": 0.0,
            "stability": max(20.0 - 5 * self.memory["unforgiven"], 0.0),
            "time": 10.0 * inside,
            "direction": {1: "BULLISH", -1: "BEARISH", 0: ""}[direction],
        }
        if direction:
            reading["structure"] = 20.0 + 20 * (np.sign(self.means["delta"]) == direction)
            if len(aligned):
                reading["trigger"] = 30.0 if aligned.iloc[0]["reason"] == "valid, near" else 15.0
        total = sum(v for k, v in reading.items() if k != "direction") if direction else 0.0
        bands = [(rules.aggressive, "AGGRESSIVE"), (rules.normal, "NORMAL"), (rules.small, "SMALL/HEDGED")]
        action = next((word for limit, word in bands if total >= limit), "NO TRADE")
        return reading | {"readiness": total, "action": action}

    def _alerts(self, reading, single):
        memory, rules, told = self.memory, self.settings.alerts, []
        way = "BULLISH" if memory["regime"] > 0 else "BEARISH"
        cooled = single["now"] - memory["alerted"] >= rules.cool_down
        if reading["readiness"] >= self.settings.readiness.aggressive and memory["armed"] and cooled:
            memory |= {"armed": False, "alerted": single["now"]}
            told.append((single["name"], "READINESS", way))
        elif reading["readiness"] < rules.rearm_below:
            memory["armed"] = True
        if memory["flips"] > memory["told"] and (single["is_index"] or rules.stock_flips):
            memory["told"] = memory["flips"]
            told.append((single["name"], "REGIME_FLIP", way))
        return told
