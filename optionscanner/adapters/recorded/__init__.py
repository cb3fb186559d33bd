"""Recorded trading days: their file format, converters that bring public recordings into it, and their replay."""
