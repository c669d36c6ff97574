import asyncio
from typing import Any

import pytest

from aurora.model.account import AccountSnapshot
from aurora.model.commands import RequestSnapshot
from aurora.model.events import InstrumentsLoaded, LeverageChanged, OrderAcked, RequestFailed
from aurora.model.market import Candles
from skalp_bot.clock import SystemClock
from skalp_bot.exch.exchange import BinanceExchange
from skalp_bot.exch.settings import ExchangeSettings, Secret, Venue
from skalp_bot.ports import VenueError
from tests.exch_kit import BITCOIN, STOP_SELL, Canned, Scene, awaited, error, scene, settings, submit, until
from tests.tls_kit import NoNetwork

POSITION = {"symbol": "BTCUSDT", "positionAmt": "0.5", "entryPrice": "60000", "updateTime": 1}


def configured(leverage: int = 25, margin_type: str = "CROSSED") -> list[dict[str, Any]]:
    return [{"symbol": "BTCUSDT", "marginType": margin_type, "leverage": leverage}]


@awaited
async def test_opening_tells_instruments_leverage_candles_and_the_account() -> None:
    async with scene() as s:
        await s.exchange.open()
        loaded = s.last(InstrumentsLoaded).instruments[0]
        assert (loaded.symbol, len(loaded.brackets)) == ("BTCUSDT", 1)
        assert (s.last(LeverageChanged).leverage, s.last(Candles).closes) == (25, (11.0,))
        assert s.last(AccountSnapshot).positions == ()
        changed = [seen.name for seen in s.venue.seen if seen.name.startswith("POST")]
        assert changed == []


@awaited
async def test_recovery_can_look_and_protect_before_anything_was_loaded() -> None:
    async with scene() as s:
        look = RequestSnapshot(
            symbol=None, positions=True, orders=False, algo_orders=True, balances=False, why="recovery"
        )
        await s.exchange.execute(look)
        assert s.last(AccountSnapshot).algo_orders == ()
        await s.exchange.execute(submit("skalpa-1-1-0S", STOP_SELL))
        assert s.last(OrderAcked).exchange_id == "12"
        asked = {seen.name for seen in s.venue.seen}
        assert asked == {"GET time", "GET positionRisk", "GET openAlgoOrders", "POST algoOrder"}


async def refused(s: Scene) -> str:
    with pytest.raises(VenueError) as caught:
        await s.exchange.open()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("GET leverageBracket", error(-2014, 401), "BINANCE_API_KEY"),
        ("GET leverageBracket", error(-2015, 401), "ready file"),
        ("GET leverageBracket", error(-1022), "BINANCE_API_SECRET"),
        ("GET leverageBracket", error(-1021), "clock"),
        ("GET exchangeInfo", Canned(body="<html>", status=403), "HTTP 403"),
        ("GET exchangeInfo", Canned(body="{"), "not JSON"),
        ("GET exchangeInfo", Canned(body={"symbols": [BITCOIN | {"filters": []}]}), "nobody can read"),
        ("GET exchangeInfo", Canned(body={"symbols": [BITCOIN | {"symbol": "BTCUSDC"}]}), "BTCUSDC"),
        ("GET exchangeInfo", Canned(body={"symbols": [BITCOIN | {"quoteAsset": "USDC"}]}), "quoted in USDC"),
        ("GET symbolConfig", Canned(body=[]), "leverage"),
        ("GET klines", error(-1001, 500), "klines"),
    ],
)
@awaited
async def test_a_venue_that_cannot_be_traded_on_is_refused_with_the_fix(
    name: str, answer: Canned, words: str
) -> None:
    async with scene() as s:
        s.venue.next[name] = [answer] * 3
        assert words in await refused(s)


@pytest.mark.parametrize("answer", [error(-1001, 500), error(-1021), Canned(status=503, body="x")])
@awaited
async def test_a_question_of_the_start_is_asked_again_when_nobody_answered(answer: Canned) -> None:
    async with scene() as s:
        for name in ("GET exchangeInfo", "GET leverageBracket", "GET klines"):
            s.venue.next[name] = [answer] * 2
        await s.exchange.open()
        assert s.venue.times("GET klines") == 3


@awaited
async def test_a_start_waits_for_room_when_the_minute_of_its_address_is_used_up() -> None:
    async with scene(speed=100.0) as s:
        used = {"X-MBX-USED-WEIGHT-1M": "2390"}  # By the process before, or by others behind the address.
        s.venue.next["GET positionSide/dual"] = [Canned(body={"dualSidePosition": False}, headers=used)]
        await s.exchange.open()
        assert s.last(InstrumentsLoaded).instruments


@awaited
async def test_hedge_mode_is_switched_off_when_flat_and_refused_with_a_position() -> None:
    async with scene() as s:
        s.venue.usual["GET positionSide/dual"] = lambda _: {"dualSidePosition": True}
        s.venue.usual["POST positionSide/dual"] = lambda _: {"code": 200, "msg": "success"}
        await s.exchange.open()
        assert s.venue.last("POST positionSide/dual").params["dualSidePosition"] == "false"
        s.venue.usual["GET positionRisk"] = lambda _: [POSITION]
        assert "hedge mode" in await refused(s)
        assert s.venue.times("POST positionSide/dual") == 1


@awaited
async def test_leverage_and_margin_type_are_set_when_they_differ_and_read_back() -> None:
    async with scene() as s:
        state = {"leverage": 10, "margin_type": "ISOLATED"}
        s.venue.usual["GET symbolConfig"] = lambda _: configured(**state)  # type: ignore[arg-type]  # One of each.

        def set_leverage(params: dict[str, str]) -> dict[str, Any]:
            state["leverage"] = int(params["leverage"])
            return {"leverage": state["leverage"], "symbol": "BTCUSDT"}

        def set_margin(params: dict[str, str]) -> dict[str, Any]:
            state["margin_type"] = params["marginType"]
            return {"code": 200, "msg": "success"}

        s.venue.usual["POST leverage"] = set_leverage
        s.venue.usual["POST marginType"] = set_margin
        await s.exchange.open()
        assert state == {"leverage": 25, "margin_type": "CROSSED"}
        assert s.last(LeverageChanged).leverage == 25


@awaited
async def test_leverage_that_did_not_take_is_noticed() -> None:
    async with scene() as s:
        s.venue.usual["GET symbolConfig"] = lambda _: configured(10)
        s.venue.usual["POST leverage"] = lambda _: {"leverage": 25}
        assert "the venue says 10" in await refused(s)


@awaited
async def test_nothing_is_set_under_an_open_position() -> None:
    async with scene() as s:
        s.venue.usual["GET positionRisk"] = lambda _: [POSITION]
        s.venue.usual["GET symbolConfig"] = lambda _: configured(10)
        await s.exchange.open()
        assert s.last(LeverageChanged).leverage == 10
        s.venue.usual["GET symbolConfig"] = lambda _: configured(25, "ISOLATED")
        assert "close the position" in await refused(s)
        assert not [seen for seen in s.venue.seen if seen.name.startswith("POST")]


@awaited
async def test_symbols_that_do_not_trade_are_left_out_while_one_does() -> None:
    async with scene(symbols=("BTCUSDT", "ETHUSDT", "GONEUSDT")) as s:
        halted = BITCOIN | {"symbol": "ETHUSDT", "status": "SETTLING"}
        s.venue.usual["GET exchangeInfo"] = lambda _: {"symbols": [BITCOIN, halted]}
        await s.exchange.open()
        told = s.last(InstrumentsLoaded)
        assert [(each.symbol, each.trading) for each in told.instruments] == [
            ("BTCUSDT", True),
            ("ETHUSDT", False),
        ]
        assert told.missing == ("GONEUSDT",)
        for question in ("GET symbolConfig", "GET leverageBracket", "GET klines"):
            assert {seen.params["symbol"] for seen in s.venue.seen if seen.name == question} == {"BTCUSDT"}


@awaited
async def test_a_symbol_that_begins_to_trade_is_set_up_before_anybody_hears_of_it() -> None:
    async with scene(symbols=("BTCUSDT", "ETHUSDT"), reload_s=1.0, speed=5.0) as s:
        ether = BITCOIN | {"symbol": "ETHUSDT", "status": "BREAK"}
        leverage = {"BTCUSDT": 25, "ETHUSDT": 20}
        s.venue.usual["GET exchangeInfo"] = lambda _: {"symbols": [BITCOIN, ether]}
        s.venue.usual["GET symbolConfig"] = lambda asked: [
            {"symbol": asked["symbol"], "marginType": "CROSSED", "leverage": leverage[asked["symbol"]]}
        ]

        def set_leverage(params: dict[str, str]) -> dict[str, Any]:
            leverage[params["symbol"]] = int(params["leverage"])
            return {}

        await s.exchange.open()
        s.venue.next["POST leverage"] = [error(-4300)]
        s.venue.usual["POST leverage"] = set_leverage
        ether["status"] = "TRADING"
        streams = asyncio.create_task(s.exchange.stream())
        await until(lambda: s.of(RequestFailed))
        assert s.last(RequestFailed).subject == "ETHUSDT"
        await until(lambda: len(s.of(InstrumentsLoaded)) > 1)
        assert [each.trading for each in s.last(InstrumentsLoaded).instruments] == [True, False]
        begun = "ETHUSDT", True
        await until(
            lambda: begun in [(each.symbol, each.trading) for each in s.last(InstrumentsLoaded).instruments],
            within_s=10,
        )
        streams.cancel()
        await asyncio.wait([streams])
        assert leverage["ETHUSDT"] == 25
        (told,) = [event for event in s.of(LeverageChanged) if event.symbol == "ETHUSDT"]
        assert s.events.index(told) < s.events.index(s.last(InstrumentsLoaded))
        assert s.last(Candles).symbol == "ETHUSDT"


@awaited
async def test_nothing_that_trades_is_refused_unless_a_position_is_held() -> None:
    async with scene() as s:
        s.venue.usual["GET exchangeInfo"] = lambda _: {"symbols": [BITCOIN | {"status": "BREAK"}]}
        assert "BTCUSDT does not trade" in await refused(s)
        s.venue.usual["GET positionRisk"] = lambda _: [POSITION]
        await s.exchange.open()


@awaited
async def test_more_leverage_than_the_symbol_allows_is_refused_before_anything_is_set() -> None:
    async with scene(leverage=126) as s:
        assert "125" in await refused(s)


@awaited
async def test_a_clock_that_is_minutes_off_is_refused_with_the_fix() -> None:
    async with scene(connect=False) as s:
        s.venue.usual["GET time"] = lambda _: {"serverTime": 1_000_000_000_000}
        with pytest.raises(VenueError, match="timedatectl"):
            await s.exchange.connect_fast()


@pytest.mark.serial
@awaited
async def test_testnet_without_a_network_fails_in_time_and_says_what_to_do() -> None:
    resolver = NoNetwork()
    plain = settings("http://127.0.0.1:1", venue=Venue.TESTNET, rest_url="", ws_url="", resolver=resolver)
    exchange = BinanceExchange(plain, clock=SystemClock(), emit=lambda _: None)
    try:
        async with asyncio.timeout(15):
            with pytest.raises(VenueError) as caught:
                await exchange.connect_fast()
    finally:
        await exchange.close()
    assert "https://demo-fapi.binance.com" in str(caught.value)
    assert "--venue paper" in str(caught.value)
    assert set(resolver.asked) == {"demo-fapi.binance.com"}


def test_settings_that_cannot_work_are_refused_and_secrets_never_shown() -> None:
    with pytest.raises(VenueError, match="recv_window_ms"):
        settings("http://x", http_timeout_s=3.0)
    with pytest.raises(VenueError, match="BINANCE_API_KEY_FILE"):
        settings("http://x", api_key=Secret(""))
    with pytest.raises(VenueError, match="symbols"):
        settings("http://x", symbols=())
    with pytest.raises(VenueError, match="paper"):
        ExchangeSettings(
            venue=Venue.PAPER, api_key=Secret("k"), api_secret=Secret("s"), symbols=("BTCUSDT",), leverage=1
        )
    shown = repr(settings("http://x", api_secret=Secret("do not tell"))) + str(Secret("do not tell"))
    assert "do not tell" not in shown
