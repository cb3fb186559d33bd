"""Daily files of NSE and BSE: bhavcopies, participants, ban list, lots, index closes, VIX, the user's events."""
