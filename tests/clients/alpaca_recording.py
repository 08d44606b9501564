"""Alpaca's own SDK on a replayed recording: every trade as in the file, and bars.

Arguments: the server's address and the file that it replays (plain lines) once somebody has
subscribed. Bars close by event time, so all come at once.
"""

import collections
import datetime
import json
import sys
import threading

from alpaca.data.live import StockDataStream
from alpaca.data.models import Bar

ADDRESS, PATH = sys.argv[1:]

expected = collections.defaultdict(list)
minutes = collections.defaultdict(set)
for line in open(PATH):
    event = json.loads(line)
    if event["T"] == "t":
        expected[event["S"]].append((event["i"], event["p"], event["s"], event["t"]))
        minutes[event["S"]].add(event["t"][:16])

stream = StockDataStream("key", "secret", url_override=f"ws://{ADDRESS}/v2/sip")
trades, bars = collections.defaultdict(list), collections.defaultdict(list)


async def stop_when_done():
    all_trades = all(len(trades[s]) >= len(expected[s]) for s in expected)
    all_bars = all(bars[s] and bars[s][-1][:16] == max(minutes[s]) for s in expected)
    if all_trades and all_bars:
        await stream.stop_ws()


def text(time):
    assert time.tzinfo is not None
    return time.astimezone(datetime.timezone.utc).isoformat()


async def on_trade(trade):
    trades[trade.symbol].append((trade.id, trade.price, trade.size, text(trade.timestamp)))
    await stop_when_done()


async def on_bar(bar):
    assert isinstance(bar, Bar) and bar.low <= bar.open <= bar.high, bar
    assert bar.low <= bar.vwap <= bar.high and bar.volume > 0 and bar.trade_count > 0, bar
    bars[bar.symbol].append(text(bar.timestamp))
    await stop_when_done()


stream.subscribe_trades(on_trade, *expected)
stream.subscribe_bars(on_bar, *expected)
timer = threading.Timer(45, stream.stop)
timer.daemon = True
timer.start()
stream.run()
for symbol, lines in expected.items():
    wanted = [
        (i, p, s, text(datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))))
        for i, p, s, t in lines
    ]
    assert trades[symbol] == wanted, (symbol, len(trades[symbol]), len(wanted))
    assert bars[symbol] and bars[symbol] == sorted(set(bars[symbol])), bars[symbol]
print("good", {symbol: len(lines) for symbol, lines in bars.items()})
