"""Pure engines: arrays in, readings out. No clock, no files, no network."""
