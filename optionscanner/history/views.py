"""Views under the names that the requirements use, with their columns and ours; times as text in IST.

`VIEWS`: name -> SELECT. A column that nothing computes yet is NULL; so are the Greeks that are not stored, for which
SQL would need functions that not every SQLite is built with. Every view carries `session`, because one file can hold
several sessions; ``session = (SELECT max(id) FROM session)`` is the newest.
"""

from __future__ import annotations

from collections.abc import Mapping


def _ist(column: str) -> str:
    """SQL for an instant [ms UTC] as IST text; India has had no summer time since 1945."""
    return f"strftime('%Y-%m-%d %H:%M:%S', {column} / 1000.0, 'unixepoch', '+5 hours', '+30 minutes')"


_EXCHANGE = "CASE c.exchange WHEN 'NFO' THEN 'NSE' WHEN 'BFO' THEN 'BSE' ELSE c.exchange END"

# A leg is stored where it changed, so its quote at an observation is the newest one at or before it. The observations
# of its chain are walked backwards, one or two steps for a traded leg, at most to the anchor, which knows the instant.
_OPTION_CHAIN_SNAPSHOTS = f"""
SELECT
    o.session || '-' || o.observed_at || '-' || c.id AS id,
    {_ist("o.observed_at")} AS timestamp,
    {_ist("o.observed_at")} AS time,
    {_EXCHANGE} AS exchange,
    c.strike_paise / 100.0 AS strike,
    c.option_type AS option_type,
    o.underlying AS symbol,
    printf('%s %s %.10g %s', o.underlying, o.expiry, c.strike_paise / 100.0, c.option_type) AS contract,
    o.expiry AS expiry,
    q.open_interest AS oi,
    q.open_interest - d.previous_open_interest AS oi_change,
    q.last_paise / 100.0 AS ltp,
    q.bid_paise / 100.0 AS bid,
    q.ask_paise / 100.0 AS ask,
    q.bid_quantity AS bid_quantity,
    q.ask_quantity AS ask_quantity,
    q.volume AS volume,
    q.volatility_ppm / 1e6 AS iv,
    q.delta_ppm / 1e6 AS delta,
    NULL AS gamma,
    NULL AS theta,
    NULL AS vega,
    NULL AS vanna,
    NULL AS charm,
    c.id AS token,
    c.lot_size AS lot_size,
    o.spot_paise / 100.0 AS spot,
    o.forward AS forward,
    q.at = o.observed_at AS changed,
    {_ist("q.at")} AS changed_at,
    {_ist("(q.at - q.price_age_ms)")} AS price_at,
    {_ist("(q.at - q.open_interest_age_ms)")} AS oi_at,
    {_ist("k.at")} AS created_at,
    o.observed_at AS observed_at,
    o.session AS session
FROM observation o
CROSS JOIN cycle k ON k.session = o.session AND k.cycle = o.cycle
CROSS JOIN contract c ON c.underlying = o.underlying AND c.expiry = o.expiry AND c.option_type IN ('CE', 'PE')
CROSS JOIN quote q ON q.session = o.session AND q.contract = c.id AND q.at = ifnull(
    (
        SELECT x.at
        FROM observation p
        CROSS JOIN quote x ON x.session = p.session AND x.at = p.observed_at AND x.contract = c.id
        WHERE p.session = o.session AND p.underlying = o.underlying AND p.expiry = o.expiry AND p.in_picture = 1
            AND p.observed_at <= o.observed_at AND p.observed_at > ifnull(o.anchored_at, 0)
        ORDER BY p.observed_at DESC
        LIMIT 1
    ),
    (SELECT a.changed_at FROM quote_anchor a WHERE a.session = o.session AND a.at = o.anchored_at AND a.contract = c.id)
)
LEFT JOIN contract_day d ON d.session = o.session AND d.contract = c.id
WHERE o.in_picture = 1"""

_NEAREST_FUTURE = """
    SELECT f.open_interest FROM future_quote f
    WHERE f.session = p.session AND f.at <= p.at AND f.underlying = p.underlying AND f.expiry = (
        SELECT min(c.expiry) FROM contract c
        WHERE c.underlying = p.underlying AND c.expiry >= s.trading_date AND c.option_type = 'FUT'
    )
    ORDER BY f.at DESC LIMIT 1"""

_OI_SIGNAL = (
    "CASE b.build_up WHEN 'LB' THEN 'LONG_BUILDUP' WHEN 'SB' THEN 'SHORT_BUILDUP' "
    "WHEN 'SC' THEN 'SHORT_COVERING' WHEN 'LU' THEN 'LONG_UNWINDING' END"
)

_STOCK_METRICS = f"""
SELECT
    {_ist("p.at")} AS time,
    p.underlying AS symbol,
    p.expiry AS expiry,
    p.spot AS spot_price,
    p.forward AS forward,
    p.future_price AS future_price,
    ({_NEAREST_FUTURE}) AS futures_oi,
    (
        SELECT f.open_interest_change FROM futures f
        WHERE f.session = p.session AND f.at = p.at AND f.underlying = p.underlying ORDER BY f.expiry LIMIT 1
    ) AS futures_oi_change,
    i.put_call_ratio AS pcr_oi,
    i.put_call_ratio_volume AS pcr_volume,
    i.max_pain AS max_pain,
    i.call_wall AS call_wall,
    i.put_wall AS put_wall,
    x.gex AS gex,
    x.dex AS dex,
    x.vex AS vex,
    x.cex AS cex,
    {_OI_SIGNAL} AS oi_signal,
    NULL AS momentum_score,
    NULL AS fii_net_delta,
    p.atm_strike AS atm_strike,
    p.atm_iv AS atm_iv,
    p.straddle AS straddle,
    t.vwap AS straddle_vwap,
    v.iv_30 AS iv_30,
    v.iv_rank AS iv_rank,
    v.iv_percentile AS iv_percentile,
    p.coverage AS coverage,
    i.call_open_interest AS call_oi,
    i.put_open_interest AS put_oi,
    w.ewma_net AS ewma_net,
    w.ewma_atm AS ewma_atm,
    w.ewma_delta AS ewma_delta,
    w.regime AS regime,
    r.readiness AS readiness,
    r.action AS action,
    r.direction AS direction,
    p.at AS at,
    p.session AS session
FROM price p
JOIN session s ON s.id = p.session
LEFT JOIN open_interest i
    ON i.session = p.session AND i.at = p.at AND i.underlying = p.underlying AND i.expiry = p.expiry
LEFT JOIN flow w ON w.session = p.session AND w.at = p.at AND w.underlying = p.underlying AND w.expiry = p.expiry
LEFT JOIN exposure_total x ON x.session = p.session AND x.at = p.at AND x.underlying = p.underlying
LEFT JOIN straddle t ON t.session = p.session AND t.at = p.at AND t.underlying = p.underlying AND t.expiry = p.expiry
LEFT JOIN volatility_rank v ON v.session = p.session AND v.at = p.at AND v.underlying = p.underlying
LEFT JOIN build_up b ON b.session = p.session AND b.at = p.at AND b.underlying = p.underlying
LEFT JOIN readiness r ON r.session = p.session AND r.at = p.at AND r.underlying = p.underlying
WHERE p.expiry = (
    SELECT min(c.expiry) FROM contract c
    WHERE c.underlying = p.underlying AND c.expiry >= s.trading_date AND c.option_type IN ('CE', 'PE')
)"""

# The requirement follows one index on each exchange.
_EXCHANGE_METADATA = f"""
SELECT
    e.exchange AS exchange,
    e.symbol AS symbol,
    {_ist("max(o.observed_at)")} AS last_update_time,
    (
        SELECT u.spot_paise / 100.0 FROM underlying_quote u
        WHERE u.session = o.session AND u.underlying = e.symbol ORDER BY u.at DESC LIMIT 1
    ) AS last_underlying_price,
    (
        SELECT p.atm_strike FROM price p
        WHERE p.session = o.session AND p.underlying = e.symbol ORDER BY p.at DESC, p.expiry LIMIT 1
    ) AS last_atm_strike,
    {_ist("max(k.at)")} AS updated_at,
    count(*) AS observations,
    o.session AS session
FROM (SELECT 'NSE' AS exchange, 'NIFTY' AS symbol UNION ALL SELECT 'BSE', 'SENSEX') e
JOIN observation o
    ON o.session = (SELECT max(id) FROM session) AND o.underlying = e.symbol AND o.in_picture = 1
CROSS JOIN cycle k ON k.session = o.session AND k.cycle = o.cycle
GROUP BY e.exchange"""

VIEWS: Mapping[str, str] = {
    "option_chain_snapshots": _OPTION_CHAIN_SNAPSHOTS.strip(),
    "stock_metrics": _STOCK_METRICS.strip(),
    "exchange_metadata": _EXCHANGE_METADATA.strip(),
}
