"""The test suite; `python -m tests` runs all of it, `python -m tests quick` the part that is done in a minute."""
