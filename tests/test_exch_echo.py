"""What two connections tell is told once, in the memory of a few seconds."""

from skalp_bot.exch.echo import FRAMES_KEPT, Echo


def test_what_is_not_newer_of_its_kind_and_symbol_is_stale() -> None:
    echo = Echo()
    heard = [echo.stale("markPriceUpdate", "BTCUSDT", number) for number in (5, 5, 4, 6)]
    assert heard == [False, True, True, False]
    assert not echo.stale("markPriceUpdate", "ETHUSDT", 5)
    assert not echo.stale("aggTrade", "BTCUSDT", 1)


def test_a_frame_is_repeated_only_to_the_letter() -> None:
    echo = Echo()
    assert not echo.repeated({"e": "ORDER_TRADE_UPDATE", "o": {"i": 1, "X": "NEW"}})
    assert not echo.repeated({"e": "ORDER_TRADE_UPDATE", "o": {"i": 1, "X": "FILLED"}})
    assert echo.repeated({"e": "ORDER_TRADE_UPDATE", "o": {"i": 1, "X": "NEW"}})


def test_the_oldest_frames_are_forgotten_first_and_all_of_them_when_told_to() -> None:
    echo = Echo()
    for number in range(FRAMES_KEPT + 1):
        assert not echo.repeated({"i": number})
    assert not echo.repeated({"i": 0}), "this one had to go"
    assert echo.repeated({"i": FRAMES_KEPT})
    echo.forget()
    assert not echo.repeated({"i": FRAMES_KEPT})
    assert not echo.stale("aggTrade", "BTCUSDT", 1)
