"""From a signal to a quantity: every stage of the chain is kept, so that `why` can show what limited it."""

from decimal import Decimal
from typing import Literal

from aurora.engine.books import marks
from aurora.engine.pool import pooled
from aurora.engine.turn import Turn
from aurora.execution.levels import Levels, exact, levels, resting
from aurora.market import SymbolMarket
from aurora.model.instrument import Instrument
from aurora.model.numbers import NO_QTY, NO_QUOTE, Price, Quote, as_float, divide
from aurora.model.order import Side
from aurora.model.signal import Signal, SizingLink, TargetPosition
from aurora.sizing.band import RelativeBand
from aurora.sizing.belief import BetaBelief
from aurora.sizing.kelly import (
    BracketCosts,
    BracketKelly,
    NotionalFraction,
    RiskFraction,
    SizedQty,
    SizingStabilizer,
    StabilizerState,
    apply_dd_haircut_to_kelly,
    fraction_to_qty,
    kelly_binary,
    kelly_bracket,
    market_order_limits,
    notional_from_risk,
    risk_from_notional,
)


def sized(
    turn: Turn, signal: Signal, market: SymbolMarket, instrument: Instrument
) -> tuple[TargetPosition, Levels]:
    """The position the signal justifies now, with the levels it was sized for."""
    exits = turn.config.exits_of(signal.symbol)
    price = Price(exact(market.ask if signal.side is Side.BUY else market.bid))
    at = levels(signal.side, price, exits, instrument, turn.atr(signal.symbol))
    rest = resting(signal.side, at.stop, market.spread, exits, instrument)
    chain = [SizingLink(stage="signal", value=signal.p, note=signal.reason)]
    bet, risk = wagered(turn, signal, (price, rest, at.take_profit), chain)
    risk = haircut(turn, risk, chain)
    wanted = notional_from_risk(risk, net_loss=bet.net_loss)
    equity = turn.d.ledger.equity(marks(turn))
    share = pooled(turn, signal.symbol, signal.side, wanted, as_float(equity), chain)
    risk = steadied(turn, signal.symbol, risk_from_notional(share, net_loss=bet.net_loss), chain)
    share = notional_from_risk(risk, net_loss=bet.net_loss)
    quantity = bought(turn, price, share, instrument, chain)
    target = TargetPosition(
        symbol=signal.symbol,
        side=signal.side,
        qty=quantity.qty if risk > 0 else NO_QTY,
        reference=price,
        stop=rest,
        take_profit=at.take_profit,
        risk=Quote(quantity.notional * exact(bet.net_loss)) if risk > 0 else NO_QUOTE,
        chain=tuple(chain),
        reason=quantity.reason.value if risk > 0 else bet.reason.value,
    )
    return target, at


def wagered(
    turn: Turn, signal: Signal, at: tuple[Price, Price, Price], chain: list[SizingLink]
) -> tuple[BracketKelly, RiskFraction]:
    """Kelly of the bracket, costs inside; ``at`` is entry, resting stop and target."""
    sizing = turn.config.sizing
    entry, stop, target = (as_float(price) for price in at)
    fee = as_float(turn.taker_fee(signal.symbol))
    slip = sizing.slippage_bps / 1e4
    costs = BracketCosts(fee_in=fee, fee_tp=fee, fee_sl=fee, slip_in=slip, slip_sl=slip)
    side: Literal[1, -1] = 1 if signal.side is Side.BUY else -1
    clip = (sizing.clip_min, sizing.clip_max)
    win, loss = abs(target / entry - 1), abs(stop / entry - 1)
    raw = kelly_bracket(signal.p, win, loss, costs, side, 1.0, clip)
    chain.append(SizingLink(stage="kelly_full", value=raw.f_star or 0.0, note=f"rr {raw.rr:.3f} after costs"))
    p = shrunk(signal, raw, sizing.prior_strength)
    bet = kelly_bracket(p, win, loss, costs, side, turn.aversion, clip)
    chain += (
        SizingLink(
            stage="shrunk_p", value=p, note=f"{signal.n:g} observations, {sizing.prior_strength:g} of doubt"
        ),
        SizingLink(stage="risk_aversion", value=turn.aversion, note="divides Kelly"),
        SizingLink(stage="at_risk", value=bet.fraction_at_risk, note=bet.reason.value),
    )
    if not signal.declared:
        return bet, bet.fraction_at_risk
    gross = RiskFraction(kelly_binary(signal.p, signal.target / signal.stop, turn.aversion, clip))
    chain.append(SizingLink(stage="declared", value=gross, note="edge gate bypassed: p is declared"))
    return bet, gross


def shrunk(signal: Signal, raw: BracketKelly, strength: float) -> float:
    """The p to bet on: the estimate pulled towards break-even by so many pseudo-trades of doubt."""
    if signal.declared or raw.p_breakeven is None or not 0 < signal.p < 1:
        return signal.p
    return BetaBelief.from_estimate(signal.p, signal.n).shrunk(raw.p_breakeven, strength).mean


def bought(
    turn: Turn, price: Price, notional: NotionalFraction, instrument: Instrument, chain: list[SizingLink]
) -> SizedQty:
    """The quantity that fraction of equity buys under every limit."""
    config = turn.config
    equity = turn.d.ledger.equity(marks(turn))
    gross_held = sum((abs(p.qty) * p.entry for p in turn.d.ledger.positions()), Decimal(0))
    quantity = fraction_to_qty(
        notional,
        equity=equity,
        price=price,
        limits=market_order_limits(instrument, leverage=config.leverage),
        leverage=config.leverage,
        margin_free=max(equity - divide(gross_held, Decimal(config.leverage)), Decimal(0)),
        fee=turn.taker_fee(instrument.symbol),
    )
    chain.append(SizingLink(stage="quantity", value=as_float(quantity.qty), note=quantity.limited_by.value))
    return quantity


def haircut(turn: Turn, risk: RiskFraction, chain: list[SizingLink]) -> RiskFraction:
    """Less while under water: the drawdown is from the equity peak, net of transfers."""
    peak, equity = turn.d.ledger.peak, turn.d.ledger.equity(marks(turn))
    depth = max(0.0, 1 - as_float(equity) / as_float(peak)) if peak > 0 else 0.0
    sizing = turn.config.sizing
    cut = apply_dd_haircut_to_kelly(risk, depth, sizing.drawdown_max, sizing.drawdown_method)
    chain.append(SizingLink(stage="drawdown_haircut", value=cut, note=f"drawdown {depth:.4f}"))
    return cut


def steadied(turn: Turn, symbol: str, risk: RiskFraction, chain: list[SizingLink]) -> RiskFraction:
    """Small changes of size from one position to the next are not made."""
    sizing = turn.config.sizing
    rule = SizingStabilizer(
        band=RelativeBand(share=sizing.band),
        bucket=sizing.bucket,
        bucket_top=sizing.clip_max,
        min_interval_ns=int(sizing.resize_interval_s * 1e9),
    )
    memory = turn.d.stabilizers.get(symbol)
    previous = (
        StabilizerState()
        if memory is None
        else StabilizerState(fraction=memory.fraction, changed_ns=memory.at)
    )
    steady = rule.apply(previous, risk, turn.now)
    chain.append(SizingLink(stage="stabilizer", value=steady.fraction, note=steady.reason.value))
    return steady.fraction
