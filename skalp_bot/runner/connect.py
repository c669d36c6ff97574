"""The adapter for the venue a run trades on, told what it may know of the configuration."""

from aurora.config import AuroraConfig
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.settings import ExchangeSettings, Secret, Venue
from skalp_bot.ports import Clock, Emit
from skalp_bot.runner.venue import Access


def exchange_of(
    access: Access, config: AuroraConfig, *, emit: Emit, clock: Clock, pass_on: Emit | None = None
) -> BinanceExchange:
    """One code path for paper, testnet and live; only addresses and keys differ."""
    settings = ExchangeSettings(
        venue=Venue(access.venue.value),
        api_key=Secret(access.api_key.reveal()),
        api_secret=Secret(access.api_secret.reveal()),
        symbols=config.symbols,
        leverage=config.leverage,
        quote_asset=config.quote_asset,
        rest_url=access.rest_url,
        ws_url=access.ws_url,
        brand=config.brand,
        instance=config.instance,
        prints=config.hears_prints,
        recv_window_ms=config.execution.recv_window_ms,
        connection_life_s=config.upkeep.connection_life_s,
        reload_s=config.upkeep.reload_s,
    )
    return BinanceExchange(settings, clock=clock, emit=emit, pass_on=pass_on)
