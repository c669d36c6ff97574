"""The exchange adapter: ccxt as transport, Binance's words turned into ours."""
