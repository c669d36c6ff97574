"""Account state, account settings and user stream keys over REST."""

from collections.abc import Callable

from skalp_bot.paper.desk import Call
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.params import Params
from skalp_bot.paper.readers import query_of
from skalp_bot.paper.rest import Endpoint, Security
from skalp_bot.paper.routes_trade import signed
from skalp_bot.paper.user_events import multi_assets_update

SUCCESS = {"code": 200, "msg": "success"}


def balances(version: int) -> Callable[[Call], object]:
    return lambda call: call.venue.balances(call.account, version, call.now_ms)


def account(version: int) -> Callable[[Call], object]:
    return lambda call: call.venue.account_row(call.account, version, call.now_ms)


def position_risk(version: int) -> Callable[[Call], object]:
    return lambda call: call.venue.position_risk(call.account, version, call.now_ms, call.symbol())


def set_leverage(call: Call) -> object:
    symbol, leverage = call.must_symbol(), call.params.whole("leverage")
    if leverage is None:
        raise VenueError(-1102, "leverage")
    return call.venue.set_leverage(call.account, symbol, leverage, call.now_ms)


def set_margin_type(call: Call) -> object:
    symbol, margin_type = call.must_symbol(), call.params.must("marginType")
    if margin_type not in ("ISOLATED", "CROSSED"):
        raise VenueError(-1130, "marginType")
    if margin_type == "ISOLATED" and call.desk.multi_assets.get(call.account.id):
        raise VenueError(-4168)
    return call.venue.set_margin_type(call.account, symbol, margin_type, call.now_ms)


def position_margin(call: Call) -> object:
    """Refuse as the venue does for cross margin; isolated margin is not kept here."""
    symbol, amount = call.must_symbol(), call.params.number("amount")
    if call.params.within("type", 0, 1, 2) and amount is not None and amount <= 0:
        raise VenueError(-4055)
    if not call.account.isolated.get(symbol, False):
        raise VenueError(-4049)
    if not any(position.qty for position in call.account.positions_of(symbol)):
        raise VenueError(-4054)
    raise VenueError(-1020)


def position_margin_history(call: Call) -> object:
    query_of(call.params, limit=500, most=500, symbol=call.must_symbol())
    return []


def dual(call: Call) -> object:
    return {"dualSidePosition": call.venue.dual(call.account)}


def must_flag(call: Call, name: str) -> bool:
    flag = call.params.flag(name)
    if flag is None:
        raise VenueError(-1102, name.lower())
    return flag


def set_dual(call: Call) -> object:
    wanted = must_flag(call, "dualSidePosition")
    return call.venue.set_dual(call.account, dual=wanted, now_ms=call.now_ms)


def multi_assets(call: Call) -> object:
    return {"multiAssetsMargin": call.desk.multi_assets.get(call.account.id, False)}


def set_multi_assets(call: Call) -> object:
    wanted = must_flag(call, "multiAssetsMargin")
    if wanted == call.desk.multi_assets.get(call.account.id, False):
        raise VenueError(-4171)
    if call.venue.open_orders(call.account):
        raise VenueError(-4170)
    if wanted and any(row["marginType"] == "ISOLATED" for row in call.venue.symbol_config(call.account)):
        raise VenueError(-4167)
    call.desk.multi_assets[call.account.id] = wanted
    multi_assets_update(call.venue.floor, call.account, call.now_ms, joined=wanted)
    return SUCCESS


def fee_burn(call: Call) -> object:
    return {"feeBurn": call.desk.fee_burn.get(call.account.id, False)}


def set_fee_burn(call: Call) -> object:
    call.desk.fee_burn[call.account.id] = must_flag(call, "feeBurn")
    return SUCCESS


def income(call: Call) -> object:
    query = query_of(call.params, limit=100, most=1000, symbol=call.symbol())
    return call.venue.income(call.account, query, call.now_ms)


def brackets(call: Call) -> object:
    symbol = call.symbol()
    found = call.venue.brackets(symbol)
    return found[0] if symbol is not None and call.venue.floor.settings.bracket_object else found


def commission_rate(call: Call) -> object:
    return call.venue.commission_rate(call.account, call.must_symbol())


def trading_status(call: Call) -> object:
    return {"indicators": {}, "updateTime": call.now_ms}


def account_config(call: Call) -> object:
    row = call.venue.account_config(call.account)
    return {**row, "multiAssetsMargin": call.desk.multi_assets.get(call.account.id, False)}


def symbol_config(call: Call) -> object:
    return call.venue.symbol_config(call.account, call.symbol())


def rate_limit(call: Call) -> object:
    return call.desk.limits.settings.order_rows()


def adl_quantile(call: Call) -> object:
    return call.venue.adl_quantile(call.account, call.symbol())


def new_listen_key(call: Call) -> object:
    return {"listenKey": call.venue.new_listen_key(call.account, call.now_ms)}


def keep_listen_key(call: Call) -> object:
    return {"listenKey": call.venue.keep_listen_key(call.account, call.now_ms)}


def close_listen_key(call: Call) -> object:
    key = call.venue.keep_listen_key(call.account, call.now_ms)
    call.venue.close_listen_key(call.account, call.now_ms)
    call.desk.close_key(key)
    return {}


def weigh_status(params: Params) -> int:
    return 1 if "symbol" in params else 10


def keyed(method: str, call: Callable[[Call], object]) -> Endpoint:
    return Endpoint(method=method, path="/fapi/v1/listenKey", call=call, security=Security.KEY)


SYMBOL = ("symbol",)
ENDPOINTS = (
    signed("GET", "/fapi/v2/balance", balances(2), weight=5),
    signed("GET", "/fapi/v3/balance", balances(3), weight=5),
    signed("GET", "/fapi/v2/account", account(2), weight=5),
    signed("GET", "/fapi/v3/account", account(3), weight=5),
    signed("GET", "/fapi/v2/positionRisk", position_risk(2), weight=5),
    signed("GET", "/fapi/v3/positionRisk", position_risk(3), weight=5),
    signed("POST", "/fapi/v1/leverage", set_leverage, mandatory=("symbol", "leverage")),
    signed("POST", "/fapi/v1/marginType", set_margin_type, mandatory=("symbol", "marginType")),
    signed("POST", "/fapi/v1/positionMargin", position_margin, mandatory=("symbol", "amount", "type")),
    signed("GET", "/fapi/v1/positionMargin/history", position_margin_history, mandatory=("symbol",)),
    signed("GET", "/fapi/v1/positionSide/dual", dual, weight=30),
    signed("POST", "/fapi/v1/positionSide/dual", set_dual, mandatory=("dualSidePosition",)),
    signed("GET", "/fapi/v1/multiAssetsMargin", multi_assets, weight=30),
    signed("POST", "/fapi/v1/multiAssetsMargin", set_multi_assets, mandatory=("multiAssetsMargin",)),
    signed("GET", "/fapi/v1/feeBurn", fee_burn, weight=30),
    signed("POST", "/fapi/v1/feeBurn", set_fee_burn, mandatory=("feeBurn",)),
    signed("GET", "/fapi/v1/income", income, weight=30),
    signed("GET", "/fapi/v1/leverageBracket", brackets),
    signed("GET", "/fapi/v1/commissionRate", commission_rate, weight=20, mandatory=SYMBOL),
    signed("GET", "/fapi/v1/apiTradingStatus", trading_status, weight=weigh_status),
    signed("GET", "/fapi/v1/accountConfig", account_config, weight=5),
    signed("GET", "/fapi/v1/symbolConfig", symbol_config, weight=5),
    signed("GET", "/fapi/v1/rateLimit/order", rate_limit),
    signed("GET", "/fapi/v1/adlQuantile", adl_quantile, weight=5),
    keyed("POST", new_listen_key),
    keyed("PUT", keep_listen_key),
    keyed("DELETE", close_listen_key),
)
