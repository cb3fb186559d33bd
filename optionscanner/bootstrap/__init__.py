"""From a bare machine to the project's own environment, with the standard library only; start with `environment`."""
