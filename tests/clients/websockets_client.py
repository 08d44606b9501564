"""Python `websockets`: subscribes by URL and by message; connected, ack, snapshot, updates.

Arguments: the server's address. Ends with 0 if all is as the protocol says.
"""

import asyncio
import json
import sys

import websockets

ADDRESS = sys.argv[1]


async def events(socket):
    """Every event of the stream, one by one."""
    async for message in socket:
        frame = json.loads(message)
        assert isinstance(frame, list) and frame, message
        for event in frame:
            yield event


def check_connected(event):
    assert event["T"] == "success" and event["msg"] == "connected", event
    assert event["v"] == 1 and event["epoch"] and event["session"], event
    assert event["limits"]["symbols"] > 0, event


def check_market_event(event, symbols):
    assert event["S"] in symbols, event
    if event["T"] == "t":
        assert event["p"] > 0 and event["s"] > 0 and "sn" not in event, event
    else:
        assert event["T"] == "q" and 0 < event["bp"] <= event["ap"], event
    assert event["sq"] > 0 and event["t"].endswith("Z"), event


async def follow(stream, symbols, count):
    """Takes `count` updates after the snapshot; numbers of each symbol and channel grow."""
    last, updates, snapshots = {}, 0, set()
    async for event in stream:
        if event["T"] in ("feed", "hb"):
            continue
        check_market_event(event, symbols)
        key = (event["T"], event["S"])
        assert event["sq"] > last.get(key, 0), (event, last)
        if event["T"] == "t" and key in last:
            assert event["sq"] == last[key] + 1, "no trade may be missing"
        if event.get("sn") == 1:
            assert key not in last, "the snapshot comes before the updates"
            snapshots.add(event["S"])
        else:
            updates += 1
        last[key] = event["sq"]
        if updates >= count:
            break
    assert snapshots == set(symbols), snapshots


async def by_url():
    symbols = ["TEST.A", "TEST.B"]
    url = f"ws://{ADDRESS}/v1/stream?symbols={','.join(symbols)}"
    async with websockets.connect(url) as socket:
        stream = events(socket)
        check_connected(await anext(stream))
        ack = await anext(stream)
        assert ack["T"] == "subscription" and ack["quotes"] == symbols, ack
        assert ack["trades"] == symbols and ack["bars"] == [], ack
        await follow(stream, symbols, 6)


async def by_message():
    async with websockets.connect(f"ws://{ADDRESS}/v1/stream") as socket:
        stream = events(socket)
        check_connected(await anext(stream))
        await socket.send('{"action":"auth","key":"any","secret":"thing"}')
        assert (await anext(stream))["msg"] == "authenticated"
        command = {"action": "subscribe", "quotes": ["TEST.C"], "trades": ["TEST.C"], "id": 7}
        await socket.send(json.dumps(command))
        ack = await anext(stream)
        assert (ack["T"], ack["id"], ack["quotes"]) == ("subscription", 7, ["TEST.C"]), ack
        await follow(stream, ["TEST.C"], 4)
        await socket.send('{"action":"unsubscribe","quotes":["TEST.C"],"trades":["TEST.C"]}')
        async for event in stream:
            if event["T"] == "subscription":
                assert event["quotes"] == event["trades"] == [], event
                break
        await socket.send("{")
        async for event in stream:
            if event["T"] == "error":
                assert event["code"] == 400 and event["msg"], event
                break
        await socket.send('{"action":"ping","id":"p"}')
        pong = await anext(stream)
        assert (pong["T"], pong["id"]) == ("pong", "p"), pong
        latency = await (await socket.ping())
        assert latency >= 0


async def main():
    async with asyncio.timeout(45):
        await by_url()
        await by_message()


asyncio.run(main())
print("good")
