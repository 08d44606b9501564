// tapecast.js with a real server that is cut off, stopped, frozen, full and started again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tapecast } from '../../src/web/tapecast.js'
import { atEnd, Cable, occupy, Server, until, WebSocket } from './harness.mjs'

const FEED = '--feed synthetic:symbols=20,rate=2000'
const QUICK = { heartbeatMs: 200, staleMs: 800, deadMs: 2_000, connectMs: 2_000 }

/** A client with all that it is told. */
function follow (url, options = {}) {
  const stream = new Tapecast(url, { WebSocket, ...options })
  atEnd(() => stream.close())
  const told = { stream, states: [], gaps: [], trades: [], quotes: [] }
  stream.on('state', state => told.states.push(state))
  stream.on('gap', gap => told.gaps.push(gap))
  stream.subscribe('AAPL', {
    trade: trade => told.trades.push(trade), quote: quote => told.quotes.push(quote)
  })
  return told
}

const names = told => told.states.map(state => state.name)
const isLive = told => told.stream.state.name === 'live'

/** Numbers without a hole, each once. */
function assertWhole (trades) {
  const first = trades[0].sq
  assert.deepEqual(trades.map(trade => trade.sq), trades.map((_, i) => first + i))
}

test('prices move, ages are known, and subscriptions change while they do', async () => {
  const server = await Server.start(FEED)
  const told = follow(server.stream)
  await until('trades and quotes', () => told.trades.length > 20 && told.quotes.length > 20)
  assert.equal(told.quotes[0].sn, 1)
  assertWhole(told.trades)
  await until('the clocks', () => told.stream.clock)
  const age = told.stream.ageMs(told.quotes.at(-1))
  assert.ok(Math.abs(age) < 60_000, `${age} ms`)
  const others = []
  const cancel = told.stream.subscribe(['TEST.B', 'MSFT'], { quote: q => others.push(q.S) })
  await until('the others', () => others.includes('TEST.B') && others.includes('MSFT'))
  cancel()
  const count = others.length
  const quotes = told.quotes.length
  await until('more of the first', () => told.quotes.length > quotes + 20)
  assert.equal(others.length, count)
  told.stream.close()
  await server.stop()
})

test('a cut connection costs no trade', async () => {
  const server = await Server.start(FEED)
  const cable = await Cable.to(server.stream)
  const told = follow(cable.url)
  for (let cuts = 1; cuts <= 3; cuts++) {
    const seen = told.trades.length
    await until('trades', () => isLive(told) && told.trades.length > seen + 10)
    cable.cut()
    const waits = () => told.states.filter(state => state.name === 'waiting')
    await until('the loss', () => waits().length === cuts)
    assert.equal(waits().at(-1).hinted, false)
  }
  const seen = told.trades.length
  await until('the last trades', () => told.trades.length > seen + 10)
  assertWhole(told.trades)
  assert.deepEqual(told.gaps, [])
  told.stream.close()
  await server.stop()
})

test('a cut connection costs no trade of any symbol, where all are subscribed', async () => {
  const server = await Server.start(FEED)
  const cable = await Cable.to(server.stream)
  const stream = new Tapecast(cable.url, { WebSocket })
  atEnd(() => stream.close())
  const [trades, gaps] = [new Map(), []]
  let [count, losses] = [0, 0]
  stream.on('gap', gap => gaps.push(gap))
  // Counted, not looked for: with full jitter a wait may be shorter than the time between looks.
  stream.on('state', state => { if (state.name === 'waiting') losses += 1 })
  stream.subscribe('*', {
    trade: trade => { trades.set(trade.S, [...trades.get(trade.S) ?? [], trade]); count += 1 }
  })
  for (let cuts = 1; cuts <= 3; cuts++) {
    const seen = count
    await until('trades', () => count > seen + 200)
    cable.cut()
    await until('the loss', () => losses === cuts)
  }
  const seen = count
  await until('the last trades', () => count > seen + 200)
  assert.ok(trades.size > 20, `${trades.size} symbols`)
  for (const of of trades.values()) assertWhole(of)
  assert.deepEqual(gaps, [])
  await server.stop()
})

test('a restart is announced, waited for and told by a gap', async () => {
  const first = await Server.start(FEED)
  const told = follow(first.stream)
  await until('trades', () => told.trades.length > 10)
  const { epoch } = told.stream.state
  await first.stop()
  const waiting = await until('waiting', () => told.states.find(s => s.name === 'waiting'))
  assert.deepEqual([waiting.code, waiting.hinted], [1012, true])
  const second = await Server.start(FEED, first.ports)
  await until('live again', () => isLive(told) && told.stream.state.epoch !== epoch)
  const seen = told.trades.length
  await until('new trades', () => told.trades.length > seen + 10)
  assert.ok(told.gaps.some(gap => gap.ch === 'trades' && gap.from === undefined))
  assertWhole(told.trades.slice(seen))
  told.stream.close()
  await second.stop()
})

test('a server that was killed is found again', async () => {
  const first = await Server.start(FEED)
  const told = follow(first.stream)
  await until('trades', () => told.trades.length > 10)
  await first.kill()
  await until('waiting', () => told.states.some(s => s.name === 'waiting' && s.code === 1006))
  const second = await Server.start(FEED, first.ports)
  await until('live again', () => isLive(told))
  told.stream.close()
  await second.stop()
})

test('a refusal with 1013 is waited out as long as it asks', async () => {
  const server = await Server.start(`${FEED} --max-sessions 1`)
  const leave = await occupy(server.stream, 1)
  const told = follow(server.stream)
  const waiting = await until('a refusal', () => told.states.find(s => s.code === 1013))
  assert.equal(waiting.name, 'waiting')
  assert.equal(waiting.hinted, true)
  const hint = JSON.parse(waiting.reason)
  assert.ok(waiting.retryMs >= hint.retry_ms, waiting)
  assert.ok(waiting.retryMs <= hint.retry_ms + hint.jitter_ms, waiting)
  leave()
  await until('admission', () => isLive(told) && told.quotes.length > 0)
  told.stream.close()
  await server.stop()
})

test('a server that is mute is noticed, given up, and found again', async () => {
  const server = await Server.start(FEED)
  const told = follow(server.stream, QUICK)
  await until('trades', () => told.trades.length > 10)
  server.signal('SIGSTOP')
  const stale = await until('notice', () => told.states.find(state => state.name === 'stale'))
  assert.ok(stale.muteMs >= QUICK.staleMs, stale)
  const lost = await until('giving up', () => told.states.find(state => state.name === 'waiting'))
  assert.match(lost.reason, /nothing came/)
  // The kernel takes the next connection for the server, but nobody answers the upgrade.
  const isAgain = () => names(told).filter(name => name === 'waiting').length >= 2
  await until('a second giving up', isAgain)
  server.signal('SIGCONT')
  await until('live again', () => isLive(told))
  const seen = told.trades.length
  await until('new trades', () => told.trades.length > seen + 10)
  told.stream.close()
  await server.stop()
})

test('a server that comes back in time keeps its connection', async () => {
  const server = await Server.start(FEED)
  const told = follow(server.stream, { ...QUICK, deadMs: 30_000 })
  await until('trades', () => told.trades.length > 10)
  server.signal('SIGSTOP')
  await until('notice', () => told.stream.state.name === 'stale')
  server.signal('SIGCONT')
  await until('live again', () => isLive(told))
  assert.ok(!names(told).includes('waiting'), String(names(told)))
  told.stream.close()
  await server.stop()
})
