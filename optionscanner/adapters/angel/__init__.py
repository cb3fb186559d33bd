"""Angel One (SmartAPI): the broker's wire, and nothing of it beyond this folder."""
