"""The daemon: it does, and decides nothing."""
