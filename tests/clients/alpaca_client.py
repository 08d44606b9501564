"""Alpaca's own SDK with nothing but its URL changed, on the synthetic feed's test symbols.

Arguments: the server's address, then symbols. Ends with 0 once each symbol has given trades and
quotes in the SDK's models, with values that make sense.
"""

import datetime
import sys
import threading

from alpaca.data.live import StockDataStream
from alpaca.data.models import Quote, Trade

ADDRESS, SYMBOLS = sys.argv[1], sys.argv[2:]
WANTED = 3

stream = StockDataStream("key", "secret", url_override=f"ws://{ADDRESS}/v2/iex")
counts, problems = {}, []


def check(event):
    assert event.symbol in SYMBOLS, event
    age = datetime.datetime.now(datetime.timezone.utc) - event.timestamp
    assert abs(age) < datetime.timedelta(minutes=1), event


async def taken(kind, event, sense):
    try:
        check(event)
        assert sense, event
    except AssertionError as problem:
        problems.append(problem)
        await stream.stop_ws()
    key = (kind, event.symbol)
    counts[key] = counts.get(key, 0) + 1
    done = [counts.get((k, s), 0) >= WANTED for k in ("trade", "quote") for s in SYMBOLS]
    if all(done):
        await stream.stop_ws()


async def on_trade(trade):
    sense = isinstance(trade, Trade) and trade.price > 0 and trade.size > 0 and trade.exchange
    await taken("trade", trade, sense and isinstance(trade.conditions, list) and trade.tape)


async def on_quote(quote):
    sense = isinstance(quote, Quote) and 0 < quote.bid_price <= quote.ask_price
    await taken("quote", quote, sense and quote.bid_size > 0 and quote.ask_exchange)


stream.subscribe_trades(on_trade, *SYMBOLS)
stream.subscribe_quotes(on_quote, *SYMBOLS)
timer = threading.Timer(45, stream.stop)
timer.daemon = True
timer.start()
stream.run()
assert not problems, problems
assert len(counts) == 2 * len(SYMBOLS) and min(counts.values()) >= WANTED, counts
print("good", counts)
