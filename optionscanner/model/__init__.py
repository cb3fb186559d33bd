"""The nouns of the program: contracts, chains, readings, reports. Imports nothing of ours but `errors`."""
