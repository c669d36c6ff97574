"""Decisions and risk: synchronous, without I/O, clock or randomness."""
