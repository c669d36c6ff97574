// Trades on the exchange named by a ready file with the npm package `binance`, unchanged but for its addresses.

const fs = require("fs");
const { USDMClient, WebsocketClient } = require("binance");

const ready = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const keys = { api_key: ready.api_key, api_secret: ready.api_secret, disableTimeSync: true };
const BTC = { symbol: "BTCUSDT" };
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

// What was heard: one word for each event of the account, one for each kind of market frame.
function listen(heard) {
  const quiet = { trace() {}, info() {}, error() {} };
  const sockets = new WebsocketClient({ ...keys, beautify: false, wsUrl: ready.ws }, quiet);
  sockets.on("message", (message) => {
    const event = message.data ?? message;
    if (event.e) heard.push(event.o?.X ? `${event.e} ${event.o.X}` : event.e);
  });
  sockets.on("exception", (error) => {
    throw new Error(JSON.stringify(error));
  });
  return sockets;
}

async function until(heard, word) {
  for (let tries = 0; !heard.includes(word); tries += 1) {
    if (tries > 300) throw new Error(`never heard ${word}, only ${heard}`);
    await sleep(100);
  }
}

// Place it below the market, which at times is there already.
async function placeStop(rest) {
  const stop = { ...BTC, algoType: "CONDITIONAL", side: "SELL", type: "STOP_MARKET", reduceOnly: "true" };
  for (;;) {
    try {
      return await rest.submitNewAlgoOrder({ ...stop, triggerPrice: "59950", quantity: "0.02" });
    } catch (error) {
      if (error.code !== -2021) throw error;
      await sleep(300);
    }
  }
}

async function main() {
  const rest = new USDMClient({ ...keys, baseUrl: ready.rest });
  const heard = [];
  const seen = {
    symbols: (await rest.getExchangeInfo()).symbols.length,
    depth: (await rest.getOrderBook({ ...BTC, limit: 5 })).bids.length,
    klines: (await rest.getKlines({ ...BTC, interval: "1m", limit: 5 })).length,
    leverage: (await rest.setLeverage({ ...BTC, leverage: 5 })).leverage,
    balance: (await rest.getBalanceV3())[0].asset,
    account: (await rest.getAccountInformation()).canTrade,
  };
  const sockets = listen(heard);
  const { listenKey } = await rest.getFuturesUserDataListenKey();
  await sockets.subscribe([listenKey], "usdmPrivate");
  await sockets.subscribe(["btcusdt@bookTicker"], "usdmPublic");
  await sockets.subscribe(["btcusdt@markPrice@1s"], "usdmMarket");
  await until(heard, "bookTicker");
  await until(heard, "markPriceUpdate");
  const order = { ...BTC, side: "BUY", quantity: "0.02", newOrderRespType: "RESULT" };
  seen.market = (await rest.submitNewOrder({ ...order, type: "MARKET" })).status;
  await until(heard, "ORDER_TRADE_UPDATE FILLED");
  // A fresh object each time: the client writes its own id into the one it is given.
  const limit = (quantity) => ({ ...order, type: "LIMIT", timeInForce: "GTC", price: "59000", quantity });
  const rests = await rest.submitNewOrder(limit("0.02"));
  const named = { ...BTC, orderId: rests.orderId };
  seen.limit = rests.status;
  seen.amended = (await rest.modifyOrder({ ...named, side: "BUY", quantity: "0.03", price: "59000" })).origQty;
  seen.open = (await rest.getAllOpenOrders(BTC)).length;
  seen.canceled = (await rest.cancelOrder(named)).status;
  const batch = await rest.submitMultipleOrders([limit("0.02"), limit("900")]);
  seen.batch = batch.map((row) => row.status ?? row.code);
  seen.stop = (await placeStop(rest)).algoStatus;
  seen.position = Number((await rest.getPositionsV3(BTC))[0].positionAmt);
  await until(heard, "ALGO_UPDATE FINISHED");
  seen.trades = (await rest.getAccountTrades(BTC)).length;
  seen.income = [...new Set((await rest.getIncomeHistory()).map((row) => row.incomeType))].sort();
  seen.events = heard.filter((word) => /^(ALGO|TRADE|ACCOUNT_UPDATE)/.test(word));
  console.log(JSON.stringify(seen));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
