"""What people read first: the daemon's answers made flat, one line a symbol, order or position."""

from collections.abc import Mapping
from typing import Any

View = Mapping[str, Any]


def for_people(page: str, view: View) -> View:
    """The same facts in fewer lines; pages without a shape of their own stay as they are."""
    match page:
        case "status":
            return status(view)
        case "positions" | "ledger":
            return {**view, "positions": [position(row) for row in view.get("positions", [])]}
        case "orders":
            return {**view, "orders": [order(row) for row in view.get("orders", [])]}
        case "why":
            return {**view, "story": [line for row in view.get("story", []) for line in story(row)]}
        case _:
            return view


def status(view: View) -> View:
    trading = view.get("trading") or {}
    shown = {
        "trading": words(trading.get("state"), trading.get("halt_id"), trading.get("reason"), by(trading)),
        **{key: value for key, value in view.items() if key not in ("trading", "symbols")},
        "symbols": [symbol(row) for row in view.get("symbols", [])],
    }
    if "streams" in view:
        shown["streams"] = words(*(stream(name, told) for name, told in view["streams"].items()))
    if "counters" in view:
        counters = view["counters"]
        shown["counters"] = ", ".join(f"{key} {value}" for key, value in counters.items() if key != "denied")
        shown["denied"] = ", ".join(f"{gate} {times}" for gate, times in counters.get("denied", {}).items())
    return shown


def symbol(row: View) -> View:
    held, bracket = row.get("position"), row.get("bracket") or {}
    return {
        "symbol": row["symbol"],
        "bid": row.get("bid") or None,
        "ask": row.get("ask") or None,
        "position": held["qty"] if held else "flat",
        "entry": held["entry"] if held else None,
        "pnl": held["unrealized"] if held else None,
        "phase": bracket.get("phase"),
        "stop": stop(bracket),
        "last_decision": row.get("last_decision"),
        "id": row.get("last_id"),
    }


def position(row: View) -> View:
    bracket = row.get("bracket") or {}
    return {
        **{key: value for key, value in row.items() if key != "bracket"},
        "phase": bracket.get("phase"),
        "stop": stop(bracket),
        "take_profit": bracket.get("take_profit"),
        "backstop": bracket.get("backstop"),
        "since": bracket.get("opened_at"),
    }


def order(row: View) -> View:
    marks = words(*(name.replace("_", "-") for name in ("reduce_only", "close_position") if row.get(name)))
    seen = "UNKNOWN" if row.get("unknown") else "listed" if row.get("listed") else "not listed yet"
    left_out = ("reduce_only", "close_position", "listed", "unknown")
    return {**{key: value for key, value in row.items() if key not in left_out}, "marks": marks, "seen": seen}


def story(row: View) -> list[View]:
    """A line a fact: what happened to it, in the order in which it did."""
    head = {key: row.get(key) for key in ("at", "row", "event")}
    facts = row.get("facts") or [{}]
    return [{**head, "what": said(fact)} for fact in facts]


def said(fact: View) -> str:
    """The event first; ids, levels and what is empty say nothing here."""
    told = (f"{key} {value}" for key, value in fact.items() if key not in ("event", "level", "id") and value)
    return words(fact.get("event"), *told)


def stop(bracket: View) -> str | None:
    if not bracket:
        return None
    return f"{bracket.get('stop')} {'listed' if bracket.get('stop_listed') else 'NOT LISTED'}"


def stream(name: str, told: View) -> str:
    return f"{name} up" if told.get("up") else f"{name} DOWN ({told.get('why')})"


def by(trading: View) -> str:
    return f"(by {trading['by']})" if trading.get("by") else ""


def words(*parts: Any) -> str:
    return " ".join(str(part) for part in parts if part)
