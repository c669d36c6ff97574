"""The exchange adapter: ccxt as transport, Binance's words turned into ours."""

from skalp_bot.exch.lean import prepare

prepare()  # Before any module of ours imports ccxt.
