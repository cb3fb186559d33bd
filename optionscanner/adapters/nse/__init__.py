"""Daily files of NSE and BSE: bhavcopies, participants, ban list, lots, index closes, volatility index, user's events."""
