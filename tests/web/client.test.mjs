// tapecast.js against the protocol: delays with injected randomness, and a server made of `ws`
// that closes, misbehaves and looks at what it is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullJitterMs, hintOf, millisOf, Tapecast } from '../../src/web/tapecast.js'
import { atEnd, until, WebSocket } from './harness.mjs'

const CONNECTED = { T: 'success', msg: 'connected', v: 1, epoch: 'e1', session: 's1' }
const quote = (S, sq, more) => ({ T: 'q', S, bp: 1, bs: 1, ap: 2, as: 1, t: TIME, sq, ...more })
const trade = (S, sq) => ({ T: 't', S, p: 1, s: 1, t: TIME, sq })
const TIME = '2026-11-20T08:22:56.530113557Z'

/** A server whose every connection is `script(say, socket, heard)`. */
async function fake (script) {
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' })
  await new Promise(resolve => server.once('listening', resolve))
  const heard = []
  server.on('connection', (socket, request) => {
    const say = (...events) => socket.send(JSON.stringify(events))
    socket.on('message', text => heard.push(JSON.parse(text)))
    script(say, socket, request)
  })
  atEnd(() => { for (const client of server.clients) client.terminate(); server.close() })
  return { url: `ws://127.0.0.1:${server.address().port}/v1/stream`, heard, server }
}

/** A client of it, with the states that it went through. */
function client (url, options = {}) {
  const stream = new Tapecast(url, { WebSocket, random: () => 0.01, ...options })
  atEnd(() => stream.close())
  const states = []
  stream.on('state', state => states.push(state))
  return { stream, states }
}

test('full jitter is even between 0 and a bound that doubles up to a minute', () => {
  let seed = 1
  const random = () => { seed = (seed * 48271) % 2147483647; return seed / 2147483647 }
  for (const [attempt, bound] of [[0, 1e3], [1, 2e3], [4, 16e3], [6, 60e3], [500, 60e3]]) {
    const buckets = new Array(10).fill(0)
    for (let i = 0; i < 10_000; i++) {
      const ms = fullJitterMs(attempt, random)
      assert.ok(ms >= 0 && ms < bound, `${ms} of ${bound}`)
      buckets[Math.floor((ms / bound) * 10)] += 1
    }
    for (const count of buckets) assert.ok(count > 850 && count < 1150, String(buckets))
  }
})

test('a hint is read from 1012 and 1013 only, and not believed beyond ten minutes', () => {
  const hint = '{"retry_ms":1000,"jitter_ms":5000}'
  assert.deepEqual(hintOf(1013, hint), { retryMs: 1000, jitterMs: 5000 })
  assert.deepEqual(hintOf(1012, '{"retry_ms":5}'), { retryMs: 5, jitterMs: 0 })
  assert.deepEqual(hintOf(1013, '{"retry_ms":1e12,"jitter_ms":-1}'),
    { retryMs: 600_000, jitterMs: 0 })
  for (const reason of ['', 'full', '{}', '[]', 'null', '{"retry_ms":"soon"}']) {
    assert.equal(hintOf(1013, reason), null, reason)
  }
  assert.equal(hintOf(1006, hint), null)
})

test('times are read in both forms, to the microsecond', () => {
  const second = Date.UTC(2026, 10, 20, 8, 22, 56)
  for (const [time, ms] of [[TIME, 530.1135], ['2026-11-20T08:22:56Z', 0],
    ['2026-11-20T08:22:56.530Z', 530], [(second + 530) * 1e6, 530]]) {
    assert.ok(Math.abs(millisOf(time) - second - ms) < 0.001, `${time}: ${millisOf(time)}`)
  }
})

test('it asks in few messages, for what has a callback, and takes it back', async () => {
  const { url, heard } = await fake(say => say(CONNECTED))
  const { stream } = client(url)
  const noop = () => {}
  const cancels = []
  for (let i = 0; i < 1_200; i++) cancels.push(stream.subscribe(`S${i}`, { trade: noop }))
  cancels.push(stream.subscribe(['S1', 'S1', 'X'], { trade: noop, quote: noop }))
  const asked = action => heard.filter(message => message.action === action)
  await until('three messages', () => asked('subscribe').length === 3)
  const trades = asked('subscribe').flatMap(message => message.trades ?? [])
  assert.equal(new Set(trades).size, 1_201)
  assert.equal(trades.length, 1_201)
  assert.deepEqual(asked('subscribe').flatMap(message => message.quotes ?? []), ['S1', 'X'])
  // S1 is still wanted by another.
  cancels[1]()
  cancels[2]()
  await until('the end of one', () => asked('unsubscribe').length === 1)
  assert.deepEqual(asked('unsubscribe')[0].trades, ['S2'])
})

test('what is known is dropped, a hole is told, a late callback gets the newest', async () => {
  const { url } = await fake((say, socket) => {
    say(CONNECTED)
    socket.once('message', () => socket.once('message', () => {
      say(quote('A', 5, { sn: 1 }), quote('A', 7), quote('A', 6), quote('A', 7), quote('A', 9))
      say(trade('A', 3), trade('A', 4), trade('A', 4), trade('A', 8), trade('B', 1))
      say({ T: 'gap', S: 'A', ch: 'trades', to: 11 }, trade('A', 12))
    }))
  })
  const { stream } = client(url)
  const [quotes, trades, gaps] = [[], [], []]
  stream.subscribe('A', {
    quote: q => quotes.push(q.sq), trade: t => trades.push(t.sq), gap: g => gaps.push(g)
  })
  await until('the last trade', () => trades.includes(12))
  assert.deepEqual(quotes, [5, 7, 9])
  assert.deepEqual(trades, [3, 4, 8, 12])
  assert.deepEqual(gaps.map(({ from, to }) => [from, to]), [[5, 7], [9, 11]])
  const late = []
  stream.subscribe('A', { quote: q => late.push(q.sq) })
  assert.deepEqual(late, [9])
})

test('it resumes with the numbers and the epoch that it has', async () => {
  let connections = 0
  const { url, heard } = await fake((say, socket) => {
    connections += 1
    say({ ...CONNECTED, epoch: connections < 3 ? 'e1' : 'e2' })
    if (connections > 1) return setTimeout(() => socket.terminate(), 50)
    socket.on('message', text => {
      if (JSON.parse(text).action !== 'subscribe') return
      say(trade('A', 4), quote('A', 9), quote('B', 2))
      socket.terminate()
    })
  })
  const { stream } = client(url)
  stream.subscribe('A', { trade: () => {}, quote: () => {} })
  stream.subscribe('*', { quote: () => {} })
  const resumes = () => heard.filter(message => message.since)
  await until('the third connection', () => connections >= 3 && resumes().length >= 2)
  const since = { A: { trades: 4, quotes: 9 }, B: { quotes: 2 } }
  for (const message of resumes().slice(0, 2)) {
    assert.deepEqual([message.since, message.epoch], [since, 'e1'])
  }
})

test('a close that would come again ends it, until it is told to go on', async () => {
  const { url, server } = await fake((say, socket) => {
    say(CONNECTED)
    socket.close(1008, 'too many refused messages')
  })
  const { stream, states } = client(url)
  await until('the end', () => stream.state.name === 'closed')
  assert.deepEqual(states.at(-1), {
    name: 'closed', code: 1008, reason: 'too many refused messages'
  })
  server.removeAllListeners('connection')
  server.on('connection', socket => socket.send(JSON.stringify([CONNECTED])))
  stream.reconnect()
  await until('a new beginning', () => stream.state.name === 'live')
})

test('the hint of a shutdown counts where the connection then just breaks', async () => {
  const { url } = await fake((say, socket) => {
    say(CONNECTED, { T: 'shutdown', in_ms: 10, retry_ms: 7_000 })
    setTimeout(() => socket.terminate(), 50)
  })
  // All were told the same time, so as much again by chance.
  for (const [share, retryMs] of [[0, 7_000], [0.5, 10_500], [0.75, 12_250]]) {
    const { stream } = client(url, { random: () => share })
    await until('waiting', () => stream.state.name === 'waiting')
    assert.deepEqual([stream.state.hinted, stream.state.retryMs], [true, retryMs])
  }
})

/** Method: every answer takes longer than the client's looks, which come twice a second. */
test('the clocks are compared also where an answer takes longer than a second', async () => {
  const { url, heard } = await fake((say, socket) => {
    say(CONNECTED)
    const beats = setInterval(() => say({ T: 'hb', t: TIME, feed: 'ok', age_ms: 0, n: 0 }), 200)
    socket.on('close', () => clearInterval(beats))
    socket.on('message', text => {
      const { action, id } = JSON.parse(text)
      if (action === 'ping') setTimeout(() => say({ T: 'pong', t: TIME, id }), 1_200)
    })
  })
  const { stream } = client(url)
  await until('a comparison', () => stream.clock)
  assert.ok(stream.clock.rttMs > 1_100, String(stream.clock.rttMs))
  const pings = () => heard.filter(message => message.action === 'ping')
  const before = pings().length
  await until('the next one', () => pings().length > before)
  assert.ok(pings().length <= before + 1)
})

test('who closes it while it connects is not connected', async () => {
  let connections = 0
  const { url } = await fake(say => { connections += 1; say(CONNECTED) })
  const { stream, states } = client(url)
  stream.on('state', state => { if (state.name === 'connecting') stream.close() })
  await until('the end', () => stream.state.name === 'closed')
  // Whoever connects now comes after one that the closed stream would have made.
  const second = client(url)
  await until('another one', () => second.stream.state.name === 'live')
  assert.equal(connections, 1)
  assert.equal(stream.state.name, 'closed')
  assert.deepEqual(states.map(state => state.name), ['connecting', 'closed'])
})

test('who says reconnect while it connects is heard once', async () => {
  const { url } = await fake(say => say(CONNECTED))
  const { stream, states } = client(url)
  stream.on('state', state => { if (state.name === 'connecting') stream.reconnect() })
  await until('live', () => stream.state.name === 'live')
  assert.deepEqual(states.map(state => state.name), ['connecting', 'live'])
})

test('attempts are farther and farther apart until something came', async () => {
  const { url } = await fake((say, socket, request) => socket.terminate())
  const { stream, states } = client(url, { random: () => 0.05 })
  const waits = () => states.filter(state => state.name === 'waiting').map(s => s.retryMs)
  await until('five attempts', () => waits().length === 5)
  assert.deepEqual(waits(), [50, 100, 200, 400, 800])
})

test('after a message that was not read, all is asked for again', async () => {
  const { url, heard } = await fake((say, socket) => {
    say(CONNECTED)
    socket.on('message', text => {
      if (JSON.parse(text).action === 'subscribe') say({ T: 'error', code: 429, msg: 'rate' })
    })
  })
  const { stream } = client(url)
  const errors = []
  stream.on('error', error => errors.push(error.code))
  stream.subscribe('A', { trade: () => {} })
  const asked = () => heard.filter(message => message.trades?.[0] === 'A').length
  await until('a second question', () => asked() >= 2)
  assert.equal(errors[0], 429)
})

test('what a callback throws is reported and costs the stream nothing', async () => {
  const { url } = await fake((say, socket) => {
    say(CONNECTED)
    socket.on('message', () => say(quote('A', 1), quote('A', 2)))
  })
  const reported = []
  // In place of the test runner's own, which takes it for a failure.
  const listeners = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', error => reported.push(error.message))
  const { stream } = client(url)
  const seen = []
  stream.subscribe('A', { quote: q => { seen.push(q.sq); throw new Error(`at ${q.sq}`) } })
  await until('both', () => reported.length === 2)
  assert.deepEqual([seen, reported], [[1, 2], ['at 1', 'at 2']])
  process.removeAllListeners('uncaughtException')
  for (const listener of listeners) process.on('uncaughtException', listener)
})

test('who comes back is in a hurry, but not where the server named a time', async () => {
  const page = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  globalThis.document = page
  let reason = ''
  const { url } = await fake((say, socket) => {
    if (reason) socket.close(1013, reason)
    else socket.terminate()
  })
  const { stream } = client(url, { random: () => 0.9 })
  const waiting = name => until(name, () => (
    stream.state.name === 'waiting' && stream.state.retryMs > 1_000 && stream.state))
  const { retryMs } = await waiting('the second wait')
  assert.equal(retryMs, 1_800)
  page.visibilityState = 'hidden'
  page.dispatchEvent(new Event('visibilitychange'))
  assert.equal(stream.state.retryMs, 1_800)
  page.visibilityState = 'visible'
  page.dispatchEvent(new Event('visibilitychange'))
  assert.equal(stream.state.retryMs, 900)
  reason = '{"retry_ms":3000,"jitter_ms":0}'
  const hinted = await until('a hint', () => stream.state.hinted && stream.state)
  page.dispatchEvent(new Event('visibilitychange'))
  assert.equal(stream.state, hinted)
  delete globalThis.document
})

test('of several nodes it takes the next when one is lost, and resumes there', async () => {
  const node = last => fake((say, socket) => {
    say(CONNECTED)
    socket.on('message', text => {
      if (JSON.parse(text).action !== 'subscribe') return
      say({ T: 't', S: 'A', p: 1, s: 1, t: '2026-01-01T00:00:00Z', sq: last - 1 },
        { T: 't', S: 'A', p: 1, s: 1, t: '2026-01-01T00:00:00Z', sq: last })
      if (last === 2) setTimeout(() => socket.terminate(), 20)
    })
  })
  // The second is behind the first by what it gives again.
  const [first, second] = [await node(2), await node(3)]
  const { stream } = client([first.url, second.url])
  const [seen, gaps] = [[], []]
  stream.subscribe('A', { trade: t => seen.push(t.sq), gap: gap => gaps.push(gap) })
  await until('the trade of the second node', () => seen.includes(3))
  assert.deepEqual([seen, gaps], [[1, 2, 3], []])
  const asked = second.heard.find(message => message.action === 'subscribe')
  assert.equal(asked.since.A.trades, 2)
})
