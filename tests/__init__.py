"""The test suite: `python -m tests` runs all of it, `python -m tests quick` what fits in a minute."""
