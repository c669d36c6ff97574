"""What a person may see of a running daemon, as stable JSON: docs/control.md lists every field."""

from decimal import Decimal
from typing import Any

from aurora.config import AuroraConfig
from aurora.model.account import AccountSnapshot
from aurora.model.bracket import Bracket
from aurora.model.order import Order, OrderStatus, Role
from aurora.state import State
from skalp_bot.runner.board import Board, SymbolBoard, checks_shown, signal_shown, target_shown
from skalp_bot.runner.report import Report, money
from skalp_bot.runner.text import clock_text


class Views:
    """Reads state and folds; changes neither."""

    def __init__(
        self, *, config: AuroraConfig, state: State, board: Board, report: Report, about: dict[str, Any]
    ) -> None:
        self.about = about  # What never changes: venue, profile, pid, directories.
        self.ready_at = 0
        self._config = config
        self._state = state
        self._board = board
        self._report = report

    def status(self, now: int) -> dict[str, Any]:
        d = self._state.durable
        reconciled = self._state.soft.reconciled_at
        return {
            **self.about,
            "at": clock_text(now),
            "ready": bool(self.ready_at),
            "ready_at": clock_text(self.ready_at),
            "trading": self.trading(),
            "quote_asset": self._config.quote_asset,
            "equity": number(self._state.soft.equity),
            "wallet": money(d.ledger.wallet(self._config.quote_asset)),
            "realized": money(d.ledger.realized),
            "fees": money(d.ledger.fees),
            "symbols": [self.symbol(name, now) for name in self.names()],
            "streams": {
                name: {"up": told.up, "since": clock_text(told.ts_recv), "why": told.why}
                for name, told in sorted(self._board.streams.items())
            },
            "orders_open": len(d.blotter.open_orders()),
            "orders_unknown": sum(order.unknown_since is not None for order in d.blotter.open_orders()),
            "drift_open": len(d.drifts),
            "reconciled_age_s": round((now - reconciled) / 1e9, 3) if reconciled else None,
            "unprotected_seconds_max": round(self._report.unprotected_max / 1e9, 3),
            "counters": {
                "ticks": self._report.ticks,
                "signals": self._report.signals,
                "fills": self._report.fills,
                "round_trips": self._report.round_trips,
                "denied": dict(sorted(self._report.denied.items())),
            },
            "alerts": [
                {
                    "at": clock_text(alert.at),
                    "code": alert.code,
                    "subject": alert.subject,
                    "message": alert.message,
                }
                for alert in self._board.alerts
            ],
        }

    def positions(self) -> dict[str, Any]:
        return {"positions": [row for name in self.names() if (row := self.position(name)) is not None]}

    def orders(self) -> dict[str, Any]:
        return {"orders": [order_shown(order) for order in self._state.durable.blotter.open_orders()]}

    def gates(self) -> dict[str, Any]:
        """Every gate's last look at every symbol: observed against limit."""
        lines = [self._board.of(name) for name in self.names()]
        return {
            "trading": self.trading(),
            "symbols": [
                {"symbol": line.symbol, "at": clock_text(line.checked_at), "gates": checks_shown(line.checks)}
                for line in lines
            ],
        }

    def why_not(self, symbol: str | None = None) -> dict[str, Any]:
        """Why there is no entry now: the last decision, and what has been refusing."""
        names = self.names() if symbol is None else (symbol,)
        return {"trading": self.trading(), "symbols": [self._why_not(self._board.of(name)) for name in names]}

    def ledger(self) -> dict[str, Any]:
        """Every cent and its cause, since the books were opened."""
        ledger = self._state.durable.ledger
        assets = []
        for asset, wallet in ledger.wallets():
            account = ledger.account(asset)
            assets.append(
                {
                    "asset": asset,
                    "opened": None if account.opened is None else money(account.opened),
                    "realized_pnl": money(account.realized),
                    "fees": money(account.fees),
                    "funding": money(account.funding),
                    "transfers": money(account.transfers),
                    "other": money(account.other),
                    "wallet": money(wallet),
                }
            )
        return {
            "assets": assets,
            "equity": number(self._state.soft.equity),
            "day_start": money(ledger.day_start),
            "peak": money(ledger.peak),
            "run": self._report.wallet(),
            **self.positions(),
        }

    def trading(self) -> dict[str, Any]:
        trading = self._state.durable.trading
        return {
            "state": trading.state.value,
            "halt_id": trading.halt_id,
            "by": trading.by,
            "reason": trading.reason,
            "since": clock_text(trading.at),
        }

    def names(self) -> tuple[str, ...]:
        """Configured symbols first, then others that hold something."""
        held = [position.symbol for position in self._state.durable.ledger.positions()]
        return tuple(dict.fromkeys([*self._config.symbols, *held]))

    def symbol(self, name: str, now: int) -> dict[str, Any]:
        line = self._board.of(name)
        return {
            "symbol": name,
            "bid": line.bid,
            "ask": line.ask,
            "quote_age_ms": round((now - line.quote_at) / 1e6, 1) if line.quote_at else None,
            "position": self.position(name),
            "bracket": self.bracket(name),
            "last_decision": line.decision,
            "decided_at": clock_text(line.decided_at),
            "silence": self._silence(name),
            "last_id": line.last_id,
        }

    def position(self, name: str) -> dict[str, Any] | None:
        position = self._state.durable.ledger.position(name)
        if position.flat:
            return None
        line, ledger = self._board.of(name), self._state.durable.ledger
        mid = (line.bid + line.ask) / 2
        return {
            "symbol": name,
            "qty": money(position.qty),
            "entry": money(position.entry),
            "unrealized": ledger.unrealized(name, mid) if mid else None,  # Nobody knows without a quote.
            "bracket": self.bracket(name),
        }

    def bracket(self, name: str) -> dict[str, Any] | None:
        bracket = self._state.durable.brackets.get(name)
        if bracket is None:
            return None
        stops = self._stops(bracket)
        return {
            "phase": bracket.phase.value,
            "side": bracket.side.value,
            "qty": money(bracket.qty),
            "stop": money(bracket.stop),
            "take_profit": None if bracket.take_profit is None else money(bracket.take_profit),
            "backstop": money(bracket.backstop),
            "stop_listed": any(order.listed for order in stops),
            "stops": [order_shown(order) for order in stops],
            "naked_since": clock_text(bracket.naked_since or 0),
            "opened_at": clock_text(bracket.opened_at),
            "exit_reason": bracket.exit_reason,
        }

    def _stops(self, bracket: Bracket) -> list[Order]:
        orders = self._state.durable.blotter.of_position(bracket.symbol, bracket.epoch)
        return [order for order in orders if order.open and order.intent.role in (Role.STOP, Role.BACKSTOP)]

    def _why_not(self, line: SymbolBoard) -> dict[str, Any]:
        return {
            "symbol": line.symbol,
            "last_decision": line.decision,
            "decided_at": clock_text(line.decided_at),
            "denied": dict(sorted(line.denied.items())),
            "failing": [check for check in checks_shown(line.checks) if not check["passed"]],
            "gates": checks_shown(line.checks),
            "silence": self._silence(line.symbol),
            "signal": signal_shown(line.signal),
            "target": target_shown(line.target),
            "holds": self.position(line.symbol),
        }

    def _silence(self, name: str) -> dict[str, Any] | None:
        """Why the strategy has no opinion on it now; None while it has one."""
        silence = self._state.soft.silences.get(name)
        if silence is None:
            return None
        observed, limit = number(silence.observed), number(silence.limit)
        return {"reason": silence.reason, "observed": observed, "limit": limit}


def order_shown(order: Order) -> dict[str, Any]:
    intent = order.intent
    return {
        "id": order.key.client_id,
        "kind": order.key.namespace.value,
        "symbol": intent.symbol,
        "role": intent.role.name,
        "side": intent.side.value,
        "type": intent.type.value,
        "status": order.status.value,
        "qty": None if intent.qty is None else money(intent.qty),
        "filled": money(order.filled),
        "price": text_or_none(intent.price),
        "trigger": text_or_none(intent.trigger),
        "reduce_only": intent.reduce_only,
        "close_position": intent.close_position,
        "listed": order.listed,
        "unknown": order.status is OrderStatus.UNKNOWN,
        "created_at": clock_text(order.created_at),
        "why": order.why,
    }


def position_views(look: AccountSnapshot | None) -> dict[str, Any]:
    """A look at the account as the exchange listed it."""
    if look is None:
        return {"at": "", "positions": [], "orders": []}
    orders = (*(look.orders or ()), *(look.algo_orders or ()))
    return {
        "at": clock_text(look.requested_at),
        "positions": [
            {"symbol": view.symbol, "qty": money(view.qty), "entry": money(view.entry)}
            for view in look.positions or ()
            if view.qty
        ],
        "orders": [
            {
                "id": view.client_id,
                "symbol": view.symbol,
                "side": view.side.value,
                "type": view.type.value,
                "qty": money(view.qty),
                "trigger": money(view.trigger),
                "reduce_only": view.reduce_only or view.close_position,
            }
            for view in orders
        ],
    }


def number(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return round(value, 8) if value == value else None  # NaN differs from itself.


def text_or_none(value: Decimal | None) -> str | None:
    return None if value is None else money(value)
