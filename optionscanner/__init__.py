"""OptionScanner: engine, history and workbook for the Indian options market.

Start with `optionscanner/cycle.py`. Importing this package does nothing and needs the standard library only.
"""

__version__ = "0.1.0"
