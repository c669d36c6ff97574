"""Promises about money: every change of a wallet has a row, and a restart loses none of it."""

import json
from decimal import Decimal

from skalp_bot.paper.market import BookUpdate
from skalp_bot.paper.money import plain
from skalp_bot.paper.orders import Query, Side, TimeInForce
from skalp_bot.paper.symbols import default_symbols
from skalp_bot.paper.venue import Venue, VenueSettings
from tests.venue_kit import ASKS, BIDS, BTC, T0, Bench, explained, levels, price

D = Decimal


def test_funding_is_paid_once_at_its_time_by_longs_while_the_rate_is_positive() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    before = alice.wallet["USDT"]
    bench.wait(100)
    bench.drain()
    assert bench.venue.next_ms() == T0 + 3_600_000
    bench.wait(3_599_900)
    bench.wait(5)
    bench.mark("101", next_funding_ms=T0 + 7_200_000)
    assert alice.wallet["USDT"] - before == -10
    (event,) = bench.user(alice)
    assert event["a"] == {
        "B": [{"a": "USDT", "wb": plain(before - 10), "cw": plain(before - 10), "bc": "-10"}],
        "P": [],
        "m": "FUNDING_FEE",
    }
    row = bench.venue.income(alice, Query(income_type="FUNDING_FEE"), bench.now_ms)[0]
    assert (row["income"], row["symbol"], row["tradeId"]) == ("-10.00000000", BTC, "")
    assert bench.venue.funding_rates(Query(symbol=BTC))[0]["fundingRate"] == "0.00010000"


def test_entry_is_weighted_and_unchanged_by_reducing_and_restarts_on_crossing_zero() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "3")
    position = alice.position(BTC)
    assert position.entry == D("100133.33333333333333")
    bench.market(alice, Side.SELL, "1")
    assert position.entry == D("100133.33333333333333")
    assert alice.trades[-1].realized == D("-233.33333333")
    bench.market(alice, Side.SELL, "3")
    assert (position.qty, position.entry) == (D(-1), price("99.8"))
    assert explained(alice) == alice.wallet["USDT"]


def test_break_even_covers_the_fees_as_the_venue_shows_them() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    row = bench.venue.position_risk(alice, 3, bench.now_ms)[0]
    assert row["breakEvenPrice"] == "100150.05"
    assert row["entryPrice"] == "100100"
    assert row["positionInitialMargin"] == "5000.00000000"
    assert row["maintMargin"] == "400.00000000"


def test_the_account_adds_up() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    bench.limit(alice, Side.BUY, "99", "1")
    row = bench.venue.account_row(alice, 3, bench.now_ms)
    total = {name: D(row[name]) for name in row if isinstance(row[name], str)}
    assert total["totalMarginBalance"] == total["totalWalletBalance"] + total["totalUnrealizedProfit"]
    assert total["totalInitialMargin"] == (
        total["totalPositionInitialMargin"] + total["totalOpenOrderInitialMargin"]
    )
    assert total["availableBalance"] == total["totalMarginBalance"] - total["totalInitialMargin"]
    assert total["totalOpenOrderInitialMargin"] == D(4950)
    assert row["assets"][0]["updateTime"] > 0
    assert bench.venue.account_row(alice, 2, bench.now_ms)["positions"][0]["leverage"] == "20"


def test_an_account_without_margin_is_called_then_liquidated_and_the_fund_balances() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="5500")
    bench.market(alice, Side.BUY, "1")
    bench.limit(alice, Side.SELL, "103", "0.5", reduce_only=True)
    row = bench.venue.position_risk(alice, 3, bench.now_ms)[0]
    expected = D(row["liquidationPrice"])
    assert price("95") < expected < price("96")
    bench.drain()
    bench.mark("95.1")
    assert bench.story(alice) == ["MARGIN_CALL"]
    bench.mark(str((expected - 1) / 1000))
    assert bench.story(alice) == ["ORDER EXPIRED EXPIRED er5"]
    assert alice.held(BTC) == 1
    bench.wait(100)
    story = bench.story(alice)
    assert story[0] == "ORDER NEW NEW"
    assert "ACCOUNT INSURANCE_CLEAR" in story
    assert alice.held(BTC) == 0
    assert alice.wallet["USDT"] == explained(alice) >= 0
    force = bench.venue.force_orders(alice, Query(), bench.now_ms)
    assert force[0].client_order_id.startswith("autoclose-")


def test_a_liquidation_that_had_begun_goes_on_after_a_restart() -> None:
    bench = Bench.opened()
    alice = bench.account(deposit="5500")
    bench.market(alice, Side.BUY, "1")
    bench.mark("94")
    assert (alice.liquidating, alice.held(BTC)) == (True, D(1))
    state = json.loads(json.dumps(bench.venue.snapshot()))
    again = Bench(Venue(symbols=default_symbols([BTC]), settings=VenueSettings(), now_ms=T0, state=state))
    again.book(BIDS, ASKS, snapshot=True)
    again.wait(1)
    found = again.venue.floor.accounts[alice.id]
    assert (found.liquidating, found.held(BTC)) == (False, D(0))
    assert found.wallet["USDT"] == explained(found)


def test_a_restart_keeps_orders_queue_places_positions_and_ids() -> None:
    bench = Bench.opened()
    alice = bench.account()
    bench.market(alice, Side.BUY, "1")
    order = bench.limit(alice, Side.BUY, "99.9", "1")
    stop = bench.stop(alice, Side.SELL, "99", close_position=True)
    bench.print("99.9", "0.5", buyer_is_maker=True)
    key = bench.venue.new_listen_key(alice, bench.now_ms)
    state = json.loads(json.dumps(bench.venue.snapshot()))
    again = Bench(
        Venue(
            symbols=default_symbols([BTC]), settings=VenueSettings(trigger_delay_ms=0), now_ms=T0, state=state
        )
    )
    assert json.loads(json.dumps(again.venue.snapshot())) == state
    opening = BookUpdate(symbol=BTC, t_ms=T0, bids=levels(BIDS), asks=levels(ASKS), snapshot=True)
    again.venue.on_market(opening, T0)
    found = again.venue.account_by_listen_key(key)
    assert found is not None
    assert found.wallet == alice.wallet
    assert found.orders[order.order_id].ahead == D("1.5")
    again.print("99.9", "2", buyer_is_maker=True)
    assert found.orders[order.order_id].filled == D("0.5")
    again.print("98", "2", buyer_is_maker=True)
    assert stop.algo_id not in found.open_algos
    assert found.held(BTC) == 0
    fresh = again.limit(found, Side.BUY, "90", "1", time_in_force=TimeInForce.GTC)
    assert fresh.order_id > order.order_id


def test_listen_keys_expire_and_say_so() -> None:
    bench = Bench.opened(listen_key_ms=1000)
    alice = bench.account()
    key = bench.venue.new_listen_key(alice, bench.now_ms)
    assert bench.venue.new_listen_key(alice, bench.now_ms + 500) == key
    bench.wait(1200)
    assert bench.venue.account_by_listen_key(key) is alice
    bench.wait(400)
    assert bench.venue.account_by_listen_key(key) is None
    assert bench.user(alice) == [{"e": "listenKeyExpired", "E": bench.now_ms, "listenKey": key}]
