// Node's `ws`: subscribes by URL and by message; connected, ack, snapshot, updates.
// Arguments: the server's address. Ends with 0 if all is as the protocol says.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'

// The package lies where tests/run has put it, not beside this file.
const WebSocket = createRequire(process.env.TAPECAST_NODE + '/')('ws')
const address = process.argv[2]

async function * events (socket) {
  const frames = []
  let wake = () => {}
  socket.on('message', (data, isBinary) => {
    assert.equal(isBinary, false)
    frames.push(JSON.parse(data.toString()))
    wake()
  })
  for (;;) {
    while (frames.length > 0) yield * frames.shift()
    await new Promise(resolve => { wake = resolve })
  }
}

const next = async stream => (await stream.next()).value

async function follow (stream, symbols, count) {
  const last = new Map()
  const snapshots = new Set()
  for (let updates = 0; updates < count;) {
    const event = await next(stream)
    if (event.T === 'feed') continue
    assert.ok(event.T === 'q' || event.T === 't', JSON.stringify(event))
    assert.ok(symbols.includes(event.S))
    const key = event.T + event.S
    assert.ok(event.sq > (last.get(key) ?? 0))
    if (event.T === 't' && last.has(key)) assert.equal(event.sq, last.get(key) + 1)
    last.set(key, event.sq)
    if (event.sn === 1) snapshots.add(event.S)
    else updates += 1
  }
  assert.deepEqual([...snapshots].sort(), symbols)
}

async function byUrl () {
  const symbols = ['TEST.A', 'TEST.B']
  const socket = new WebSocket(`ws://${address}/v1/stream?symbols=${symbols.join()}&ts=ns`)
  const stream = events(socket)
  const connected = await next(stream)
  assert.equal(connected.msg, 'connected')
  const ack = await next(stream)
  assert.deepEqual([ack.T, ack.quotes, ack.trades], ['subscription', symbols, symbols])
  await follow(stream, symbols, 6)
  socket.close(1000)
  const [code] = await once(socket, 'close')
  assert.equal(code, 1000)
}

async function byMessage () {
  const socket = new WebSocket(`ws://${address}/v1/stream`)
  const stream = events(socket)
  await next(stream)
  socket.send(JSON.stringify({ action: 'subscribe', quotes: ['*'], trades: ['TEST.C'], id: 1 }))
  const ack = await next(stream)
  assert.deepEqual([ack.id, ack.quotes, ack.trades], [1, ['*'], ['TEST.C']])
  socket.send(JSON.stringify({ action: 'unsubscribe', quotes: ['*'] }))
  for (;;) {
    const event = await next(stream)
    if (event.T === 'subscription') {
      assert.deepEqual([event.quotes, event.trades], [[], ['TEST.C']])
      break
    }
  }
  for (;;) if ((await next(stream)).T === 't') break
  socket.ping('are you there')
  const [payload] = await once(socket, 'pong')
  assert.equal(payload.toString(), 'are you there')
  socket.close(1000)
  await once(socket, 'close')
}

setTimeout(() => { throw new Error('not done in 45 s') }, 45_000).unref()
await byUrl()
await byMessage()
console.log('good')
process.exit(0)
