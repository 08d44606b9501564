// The ticker page: puts the board, the tape, the search and the connection together.

import { Tapecast } from '../tapecast.js'
import { Board } from './board.js'
import { firstOf, inAddress, remember, remembered, SYMBOLS_MAX } from './choice.js'
import { Connection } from './connection.js'
import { make } from './elements.js'
import { span, whole } from './numbers.js'
import { Search } from './search.js'
import { ask, streamUrl } from './server.js'
import { Tape } from './tape.js'

const $ = id => document.getElementById(id)
/** A screen shows no more a second, and a phone should not have to listen to more. */
const MAX_HZ = matchMedia('(pointer: coarse)').matches ? 15 : 60
const ASK_AGAIN_MS = 2_000
/** Ages above this are those of a recording, not of the way here. */
const LATENCY_MS_MAX = 60_000

let stream = null
let single = null
let updates = 0
let ages = []
/** What takes back the subscription of each symbol on the board. */
const cancels = new Map()

const tape = new Tape($('prints'), $('tape-of'), $('prints-none'))
const board = new Board($('prices'), $('rows'), { remove, single: show })
const connection = new Connection({
  chip: $('connection'),
  word: $('connection-name'),
  notice: $('notice'),
  title: $('notice-title'),
  why: $('notice-why'),
  action: $('notice-action'),
  desk: $('desk')
}, () => stream?.reconnect())
new Search($('search-input'), $('search-list'), {
  choose,
  has: symbol => cancels.has(symbol)
})

/** Gives those for which there is no room. */
function add (symbols) {
  const left = []
  for (const symbol of symbols) {
    if (cancels.has(symbol)) continue
    if (cancels.size >= SYMBOLS_MAX) { left.push(symbol); continue }
    board.add(symbol)
    cancels.set(symbol, stream ? subscribe(symbol) : () => {})
  }
  changed()
  return left
}

function choose (symbols) {
  const left = add(symbols)
  if (left.length > 0) {
    return `No room for ${left.join(', ')}: the board takes ${SYMBOLS_MAX}. Remove one first`
  }
  if (symbols.length === 1) board.show(symbols[0])
}

function remove (symbol) {
  cancels.get(symbol)()
  cancels.delete(symbol)
  board.remove(symbol)
  if (single === symbol) show(symbol)
  changed()
  if (cancels.size === 0) $('search-input').focus()
}

/** The trades of one symbol alone; the same again, and all are back. */
function show (symbol) {
  single = single === symbol ? null : symbol
  tape.single(single)
  board.press(single)
}

function changed () {
  $('empty').hidden = cancels.size > 0
  $('tape').hidden = cancels.size === 0
  remember(board.symbols)
}

function subscribe (symbol) {
  return stream.subscribe(symbol, {
    quote: quote => { arrived(quote); board.quote(quote) },
    trade: trade => { arrived(trade); board.trade(trade); tape.trade(trade) },
    gap: gap => { if (gap.ch === 'trades') tape.gap(gap) }
  })
}

function arrived (item) {
  updates += 1
  connection.alive()
  const age = item.sn ? null : stream.ageMs(item)
  if (age !== null && age < LATENCY_MS_MAX) ages.push(Math.max(0, age))
}

/** Once a second: how much came, and how old it was when it was here. */
function measure () {
  const isLive = stream?.state.name === 'live'
  $('rate').textContent = isLive ? `${whole(updates)} updates a second` : ''
  const middle = ages.sort((a, b) => a - b)[ages.length >> 1]
  const roundMs = stream?.clock?.rttMs
  const latency = middle ?? roundMs ?? null
  // The clocks are compared no better than that.
  const text = latency < 1 ? '<1 ms' : span(latency)
  $('latency').textContent = isLive && latency !== null ? text : ''
  $('connection').title = middle === undefined
    ? 'Time there and back'
    : `Median time from the tick to this page, in batches of ${whole(1000 / MAX_HZ)} ms; ` +
      `there and back ${span(roundMs ?? 0)}`
  updates = 0
  ages = []
}

function connect (status) {
  stream = new Tapecast(streamUrl(status.stream), { maxHz: MAX_HZ })
  stream.on('state', state => connection.show(state))
  stream.on('heartbeat', heartbeat => { connection.alive(); connection.feed(heartbeat) })
  stream.on('error', error => console.warn(`the stream says ${error.code}: ${error.msg}`))
  for (const symbol of board.symbols) cancels.set(symbol, subscribe(symbol))
}

async function suggest () {
  const { symbols } = await ask('/api/symbols?limit=1000')
  const first = firstOf(symbols)
  const buttons = first.map(symbol => {
    const button = make('button.action', symbol)
    button.type = 'button'
    button.addEventListener('click', () => choose([symbol]))
    return make('li', button)
  })
  $('suggestions').replaceChildren(...buttons)
  return first
}

async function start () {
  const chosen = inAddress() ?? remembered()
  if (chosen) add(chosen)
  while (!stream) {
    try {
      connect(await ask('/api/status'))
    } catch (error) {
      connection.unknown(error)
      await pause()
    }
  }
  // A server that has just started may not have seen a symbol yet.
  for (let first = []; first.length === 0; await pause()) {
    first = await suggest().catch(() => [])
    if (!chosen && cancels.size === 0) add(first)
  }
}

const pause = () => new Promise(resolve => setTimeout(resolve, ASK_AGAIN_MS))

addEventListener('hashchange', () => {
  const wanted = inAddress() ?? []
  for (const symbol of board.symbols) if (!wanted.includes(symbol)) remove(symbol)
  add(wanted)
})
setInterval(measure, 1_000)
await start()
