"""The embedded exchange: a sans-I/O venue behind Binance's wire protocol."""
