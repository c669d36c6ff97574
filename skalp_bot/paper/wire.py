"""Venue records as JSON rows: field order, types and number texts of the REST interface."""

from typing import Any

from skalp_bot.paper.orders import AlgoOrder, Order
from skalp_bot.paper.symbols import SymbolSpec

Row = dict[str, Any]


def order_row(order: Order, spec: SymbolSpec, *, with_time: bool = False) -> Row:
    """Give the order as GET, PUT and DELETE show it; `with_time` adds the creation time of the GET family."""
    raise NotImplementedError


def new_order_row(order: Order, spec: SymbolSpec) -> Row:
    """Give the answer of POST order: by its newOrderRespType, as accepted or as it ended."""
    raise NotImplementedError


def algo_row(algo: AlgoOrder, spec: SymbolSpec, *, queried: bool = False) -> Row:
    """Give a conditional order; `queried` adds the fields of the GET family."""
    raise NotImplementedError


def algo_cancel_row(algo: AlgoOrder) -> Row:
    """Give the answer of DELETE algoOrder; its code is a string."""
    raise NotImplementedError
