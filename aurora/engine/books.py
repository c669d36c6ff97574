"""Holds our books against the exchange's: every difference is confirmed, then mended with a named repair."""

from decimal import Decimal

from aurora.engine.account import FOUND, answered
from aurora.engine.turn import Turn, role_of
from aurora.model.account import AccountSnapshot, OrderView
from aurora.model.commands import RequestIncome, RequestSnapshot
from aurora.model.drift import Drift, DriftKind
from aurora.model.facts import OrderOpened, PositionAdopted, WalletOpened
from aurora.model.numbers import MILLISECOND, NEVER, SECOND, Nanos, Quote, as_float
from aurora.model.order import LIVE, Namespace, Order, OrderIntent, OrderKey, OrderStatus, Role
from aurora.reconcile import Books, diff, our_books, their_books

LOOK_AGAIN = 500 * MILLISECOND
LOOK_DOUBLINGS_MAX = 4  # Half a second to eight.
CONFIRM = SECOND
INCOME_EVERY = 60 * SECOND
ADOPTED = "adopted"


def snapshot(turn: Turn, look: AccountSnapshot) -> None:
    """One look at the account: mark what is listed, compare, mend."""
    answered(turn)
    full = look.symbol is None and None not in (look.positions, look.orders, look.algo_orders, look.balances)
    if turn.d.ledger.opened_at is None:
        if look.positions is None or look.balances is None:
            list_orders(turn, look)
            return
        open_books(turn, look)
    list_orders(turn, look)
    if look.positions is not None and look.algo_orders is not None and turn.soft.first_look_at == NEVER:
        turn.soft.first_look_at = turn.now
    if look.positions is not None:
        turn.soft.looked_at = look.requested_at
    differing = diff(books(turn, look), their_books(look), turn.prefix)
    open_now = [drift for drift in differing if not mended(turn, drift, look)]
    agree_again(turn, differing, look)
    if full:
        # A look asked for while this one was on its way stays asked for.
        if open_now:
            turn.look_soon("a difference is open")
        else:
            turn.soft.reconciled_at = turn.now
            turn.soft.looks_in_a_row = 0
            complete(turn, look)


def complete(turn: Turn, look: AccountSnapshot) -> None:
    """Positions and wallets agree: no trade before this look is missing."""
    for symbol, known in turn.soft.looks.items():
        if quiet(turn, symbol, look):
            known.trades_complete_to = turn.d.ledger.last_trade_id(symbol)


def books(turn: Turn, look: AccountSnapshot) -> Books:
    ledger = turn.d.ledger
    orders = turn.d.blotter.since(look.requested_at, look.symbol)
    return our_books(ledger.positions(), orders, ledger.wallets(), look)


def open_books(turn: Turn, look: AccountSnapshot) -> None:
    """The first look ever: what is there is where the story starts."""
    for balance in look.balances or ():
        turn.conclude(WalletOpened(asset=balance.asset, wallet=balance.wallet, at=look.requested_at))
    if turn.d.ledger.opened_at is None:
        asset = turn.config.quote_asset
        turn.conclude(WalletOpened(asset=asset, wallet=Quote(Decimal(0)), at=look.requested_at))
    for view in look.positions or ():
        if view.qty:
            turn.conclude(
                PositionAdopted(
                    symbol=view.symbol, qty=view.qty, entry=view.entry, why="held at the start", at=turn.now
                )
            )


def list_orders(turn: Turn, look: AccountSnapshot) -> None:
    """A listing is the only proof that an order rests; one that is no longer listed protects nothing."""
    for namespace, views in ((Namespace.REGULAR, look.orders), (Namespace.ALGO, look.algo_orders)):
        if views is not None:
            list_namespace(turn, look, namespace, views)
    count_foreign(turn, look)
    if look.algo_orders is not None:
        symbols = (look.symbol,) if look.symbol is not None else (*turn.config.symbols, *turn.d.brackets)
        for symbol in symbols:
            turn.soft.look(symbol).listed_at = look.requested_at


def list_namespace(
    turn: Turn, look: AccountSnapshot, namespace: Namespace, views: tuple[OrderView, ...]
) -> None:
    shown = {view.client_id: view for view in views}
    resting = [order for order in turn.d.blotter.open_orders(look.symbol) if order.key.namespace is namespace]
    missing = {order.intent.symbol: None for order in resting if order.key.client_id not in shown}
    # Asked once: the first stop found missing is a change, and must not excuse the second.
    calm = {symbol: quiet(turn, symbol, look) for symbol in missing}
    for order in resting:
        view = shown.get(order.key.client_id)
        if view is not None:
            is_listed(turn, order, view)
        elif calm[order.intent.symbol] and order.updated_at < look.requested_at:
            not_listed(turn, order)
    known = {order.key.client_id: None for order in resting}
    for view in views:
        if not turn.own(view.client_id):
            turn.alert("FOREIGN_ORDER", view.symbol, f"{view.client_id} is not ours; it is left alone")
        elif view.client_id not in known:
            unknown_but_ours(turn, view)


def count_foreign(turn: Turn, look: AccountSnapshot) -> None:
    """How many orders of others rest on each symbol and hold slots, when all were listed."""
    if look.symbol is not None or look.orders is None or look.algo_orders is None:
        return
    turn.soft.foreign_conditional = sum(not turn.own(view.client_id) for view in look.algo_orders)
    for known in turn.soft.looks.values():
        known.foreign = 0
    for view in (*look.orders, *look.algo_orders):
        if not turn.own(view.client_id):
            turn.soft.look(view.symbol).foreign += 1


def is_listed(turn: Turn, order: Order, view: OrderView) -> None:
    if view.filled > order.booked and order.key.namespace is Namespace.REGULAR:
        turn.list_trades(order.intent.symbol, "a listing shows more filled")
    if shrunk(turn, order, view):
        turn.alert("STOP_SHRUNK", order.intent.symbol, f"listed for {view.qty}, sent for {order.intent.qty}")
        turn.move(order, order.status, listed=False)
        turn.cancel(order)
        return
    if order.listed and order.status in LIVE and order.unknown_since is None:
        return
    turn.move(
        order,
        view.status if order.status not in LIVE else order.status,
        listed=True,
        exchange_id=view.exchange_id,
        unknown_since=None,
    )


def shrunk(turn: Turn, order: Order, view: OrderView) -> bool:
    """Whether the exchange cut a reduce-only stop below the position it is to end."""
    if order.intent.role is not Role.STOP or order.status not in LIVE:
        return False
    held = abs(turn.d.ledger.position(order.intent.symbol).qty)
    return view.qty < min(order.intent.qty or view.qty, held)


def not_listed(turn: Turn, order: Order) -> None:
    if order.status in LIVE:
        if order.listed:
            turn.move(order, order.status, listed=False, unknown_since=turn.now)
        turn.query(order)


def unknown_but_ours(turn: Turn, view: OrderView) -> None:
    """An order with our id that the books do not hold (a lost journal) is taken over."""
    key = OrderKey(namespace=view.namespace, client_id=view.client_id)
    born = OrderKey(namespace=Namespace.ALGO, client_id=view.client_id)
    if turn.d.blotter.get(key) is not None or turn.d.blotter.get(born) is not None:
        return
    role = role_of(view.client_id) or (Role.EXIT if view.reduce_only else Role.ENTRY)
    intent = OrderIntent(
        symbol=view.symbol,
        side=view.side,
        type=view.type,
        role=role,
        qty=None if view.close_position else view.qty,
        price=view.price,
        trigger=view.trigger,
        reduce_only=view.reduce_only,
        close_position=view.close_position,
        reason=FOUND,
    )
    order = Order(
        key=key,
        intent=intent,
        position_epoch=turn.d.position_epochs.get(view.symbol, 0),
        status=view.status if view.status in LIVE else OrderStatus.NEW,
        created_at=turn.now,
        updated_at=turn.now,
        exchange_id=view.exchange_id,
        listed=True,
    )
    turn.conclude(OrderOpened(order=order, target=None))
    drift = Drift(
        kind=DriftKind.ORDER_EXTRA,
        subject=view.client_id,
        symbol=view.symbol,
        ours="",
        theirs=view.status.value,
    )
    turn.drift(drift, repair=ADOPTED)
    if not order.intent.reduces or turn.d.ledger.position(view.symbol).flat:
        turn.cancel(order)


def quiet(turn: Turn, symbol: str, look: AccountSnapshot) -> bool:
    """Whether nothing about the symbol moved while the look was taken, or just before."""
    settled = look.requested_at - turn.config.reconcile.quiet_ms * MILLISECOND
    return turn.soft.look(symbol).changed_at < settled


def mended(turn: Turn, drift: Drift, look: AccountSnapshot) -> bool:
    """Apply the repair policy to one difference; True when it does not stand in the way of trading."""
    key = (drift.kind.value, drift.symbol, drift.subject)
    if drift.kind is DriftKind.ORDER_FOREIGN:
        return True
    calm = all(quiet(turn, symbol, look) for symbol in turn.soft.looks)
    if not (quiet(turn, drift.symbol, look) if drift.symbol else calm):
        turn.look_soon("the account moved while it was looked at")
        if drift.kind is DriftKind.POSITION_QTY:
            turn.list_trades(drift.symbol, "the position differs")
        return False
    first = turn.soft.suspects.setdefault(key, turn.now)
    confirmed = turn.now - first >= CONFIRM
    match drift.kind:
        case DriftKind.POSITION_QTY:
            turn.list_trades(drift.symbol, "the position differs")
            if confirmed:
                adopt_position(turn, drift, look)
        case DriftKind.BALANCE:
            read_income(turn, why="the wallet differs", now=True)
            for symbol in turn.config.symbols:
                turn.list_trades(symbol, "the wallet differs")
            if confirmed:
                turn.drift(drift)
        case DriftKind.ORDER_MISSING | DriftKind.ORDER_FILLED | DriftKind.ORDER_EXTRA:
            if confirmed:
                turn.drift(drift)
        case _:
            pass
    return False


def adopt_position(turn: Turn, drift: Drift, look: AccountSnapshot) -> None:
    """The trades did not explain it: the exchange is right, and the difference is on record."""
    view = next((view for view in look.positions or () if view.symbol == drift.symbol), None)
    ours = turn.d.ledger.position(drift.symbol)
    qty = view.qty if view is not None else type(ours.qty)(Decimal(0))
    entry = view.entry if view is not None else ours.entry
    turn.conclude(
        PositionAdopted(
            symbol=drift.symbol, qty=qty, entry=entry, why="trades do not explain it", at=turn.now
        )
    )
    for order in turn.d.blotter.orders(drift.symbol):
        missing = order.filled - order.booked
        if missing:  # It is inside what was taken over, at a price nobody tells.
            cost = Quote(order.cost + missing * entry)
            turn.move(order, order.status, booked=order.filled, cost=cost)
    turn.drift(drift, repair=ADOPTED)


def agree_again(turn: Turn, differing: tuple[Drift, ...], look: AccountSnapshot) -> None:
    """What was suspected or open and no longer differs is settled."""
    still = {(drift.kind.value, drift.symbol, drift.subject) for drift in differing}
    seen = {
        DriftKind.POSITION_QTY.value: look.positions is not None,
        DriftKind.BALANCE.value: look.balances is not None,
        DriftKind.ORDER_MISSING.value: look.orders is not None and look.algo_orders is not None,
        DriftKind.ORDER_FILLED.value: look.orders is not None,
        DriftKind.ORDER_EXTRA.value: look.orders is not None and look.algo_orders is not None,
    }
    for key in [key for key in turn.soft.suspects if key not in still and seen.get(key[0], False)]:
        turn.soft.suspects.pop(key)
    for key, record in tuple(turn.d.drifts.items()):
        if key not in still and seen.get(key[0], False):
            turn.drift(record.drift, repair="the books agree again")


def check_told(turn: Turn) -> None:
    """A streamed position that our fills do not explain once quiet asks for a look."""
    wait = turn.config.reconcile.quiet_ms * MILLISECOND
    for symbol in tuple(turn.soft.open_questions):
        look = turn.soft.look(symbol)
        if look.told_qty is None and not look.trades_wanted:
            del turn.soft.open_questions[symbol]
        if look.told_qty is None or turn.now - max(look.told_at, look.changed_at) < wait:
            continue
        if look.told_qty != turn.d.ledger.position(symbol).qty:
            turn.list_trades(symbol, "the stream's position differs from its fills")
            turn.look_soon("the stream's position differs from its fills")
        look.told_qty = None


def ask_snapshot(turn: Turn) -> None:
    """The full look: on its timer, and soon when somebody has a reason.

    It costs about 90 of the 2,400 weights a minute has, so looks in a row wait longer each time, until one
    finds everything in order.
    """
    waited = turn.now - turn.soft.snapshot_asked_at
    due = waited >= turn.config.reconcile.interval_s * SECOND
    patience = LOOK_AGAIN << min(turn.soft.looks_in_a_row, LOOK_DOUBLINGS_MAX)
    if not due and not (turn.soft.snapshot_wanted and waited >= patience):
        return
    turn.soft.looks_in_a_row += not due
    why = turn.soft.snapshot_wanted or "timer"
    turn.soft.snapshot_wanted = ""
    turn.soft.snapshot_asked_at = turn.now
    turn.commands.append(
        RequestSnapshot(symbol=None, positions=True, orders=True, algo_orders=True, balances=True, why=why)
    )


def read_income(turn: Turn, *, why: str = "timer", now: bool = False) -> None:
    opened = turn.d.ledger.opened_at
    wait = SECOND if now else INCOME_EVERY
    if opened is None or turn.now - turn.soft.income_asked_at < wait:
        return
    turn.soft.income_asked_at = turn.now
    since = Nanos(max(turn.d.ledger.income_until, opened) + 1)
    turn.commands.append(RequestIncome(since=since, why=why))


def marks(turn: Turn) -> dict[str, Decimal]:
    """Decimal marks of the positions held; a position without a price is marked at its entry."""
    found: dict[str, Decimal] = {}
    for position in turn.d.ledger.positions():
        found[position.symbol] = turn.price(position.symbol) or position.entry
    return found


def mark_equity(turn: Turn) -> None:
    """Equity once a second; the ledger says when it belongs on record."""
    turn.soft.marked_at = turn.now
    ledger = turn.d.ledger
    if ledger.opened_at is None:
        return
    equity = ledger.equity(marks(turn))
    turn.soft.equity = as_float(equity)
    marked = ledger.marking(equity, turn.now)
    if marked is not None:
        turn.conclude(marked)
