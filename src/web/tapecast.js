// @ts-check
/**
 * Tapecast's client for browsers and Node (20 or newer): one module without dependencies.
 *
 * It keeps one connection to a stream alive and every symbol's sequence whole: it reconnects with
 * full jitter or after the server's own hint, resumes with `since` where it was, tells what is
 * lost by a `gap`, and notices a connection that is open but mute by its missing heartbeats. The
 * protocol, and what the members of the items mean, is `src/wire/PROTOCOL.md` of the server.
 *
 *     const stream = new Tapecast('ws://127.0.0.1:9001/v1/stream')
 *     stream.on('state', state => console.log(state.name))
 *     const cancel = stream.subscribe(['AAPL', 'MSFT'], { trade: t => console.log(t.S, t.p) })
 */

/** @typedef {'trades' | 'quotes' | 'bars'} Channel */
/** @typedef {string | number} Time RFC 3339; nanoseconds where the URL has `ts=ns` */
/** @typedef {{T: 't', S: string, p: number, s: number, t: Time, sq: number, i?: number,
 *   x?: string, c?: string[], z?: string}} Trade */
/** @typedef {{T: 'q', S: string, bp: number, bs: number, ap: number, as: number, t: Time,
 *   sq: number, bx?: string, ax?: string, sn?: 1}} Quote */
/** @typedef {{T: 'b', S: string, o: number, h: number, l: number, c: number, v: number,
 *   n: number, vw: number, t: Time, sq: number, sn?: 1}} Bar */
/** @typedef {Trade | Quote | Bar} Item */
/** @typedef {{T: 'gap', S: string, ch: Channel, from?: number, to?: number}} Gap
 *   `from` to `to` will not come; without `from` the server's sequence began anew */
/** @typedef {'ok' | 'stale' | 'down'} FeedState */
/** @typedef {{T: 'feed', state: FeedState, S: string[]}} Feed */
/** @typedef {{T: 'hb', t: Time, feed: FeedState, age_ms: number | null, n: number}} Heartbeat */
/** @typedef {{T: 'error', code: number, msg: string, id?: number}} Fault */
/** @typedef {{trade?: (trade: Trade) => void, quote?: (quote: Quote) => void,
 *   bar?: (bar: Bar) => void, gap?: (gap: Gap) => void}} Callbacks */
/**
 * `waiting` says in how many ms the next attempt comes, whether the server named that time, and
 * how the last connection ended; `closed` is final until `reconnect`.
 * @typedef {{name: 'connecting', attempt: number}
 *   | {name: 'live', epoch: string, session: string}
 *   | {name: 'stale', muteMs: number}
 *   | {name: 'waiting', retryMs: number, hinted: boolean, code: number, reason: string}
 *   | {name: 'closed', code: number, reason: string}} State
 */

/** @typedef {{state: State, gap: Gap, feed: Feed, heartbeat: Heartbeat, error: Fault}} Events */
/** @typedef {{send(text: string): void, close(): void, terminate?(): void,
 *   onmessage: any, onerror: any, onclose: any}} Socket */

/**
 * @typedef {object} Options
 * @property {new (url: string) => Socket} [WebSocket] where there is no global one (Node 20): `ws`
 * @property {number} [maxHz] flushes a second at most; quotes and bars are merged to the latest
 * @property {number} [heartbeatMs] interval of the server's heartbeats; default 1,000
 * @property {number} [staleMs] silence after which the state is `stale`; default 3 heartbeats
 * @property {number} [deadMs] silence after which it reconnects; default 10,000
 * @property {number} [connectMs] time for a connect; default 10,000
 * @property {() => number} [random] in [0, 1); default `Math.random`
 */

/** @type {Record<Item['T'], Channel>} */
const CHANNELS = { t: 'trades', q: 'quotes', b: 'bars' }
const KINDS = { trade: 'trades', quote: 'quotes', bar: 'bars', gap: 'gaps' }
/** Closes after which the same again would fail the same: the protocol says not to reconnect. */
const FINAL = new Set([1002, 1003, 1007, 1008, 1009])
const BACKOFF_FIRST_MS = 1_000
const BACKOFF_MAX_MS = 60_000
/** A hint beyond this is taken for a mistake, not for a wish. */
const HINT_MAX_MS = 600_000
/** Keeps a message under the server's 256 KiB, with the longest symbols and all channels. */
const SYMBOLS_PER_MESSAGE = 500
const SINCE_SYMBOLS_MAX = 1_000
const PING_MS = 10_000
/** An answer that is not there by then does not hold up the next ping. */
const PONG_MS_MAX = 10_000
/** The clocks are compared so often at once after a connect; the quickest answer counts. */
const CLOCKS_MAX = 4
/** After a page comes back into view, an open connection has this long to prove it lives. */
const PROOF_MS = 2_000
const RESYNC_MS = 1_000

/**
 * Full jitter: anything from 0 to a bound that doubles with each attempt (0 is the first).
 * @param {number} attempt @param {() => number} random @returns {number} ms
 */
export function fullJitterMs (attempt, random) {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 16))
}

/**
 * What the reason of a close with 1012 or 1013 asks for; null where it asks for nothing.
 * @param {number} code @param {string} reason
 * @returns {{retryMs: number, jitterMs: number} | null}
 */
export function hintOf (code, reason) {
  if (code !== 1012 && code !== 1013) return null
  let hint
  try { hint = JSON.parse(reason) } catch { return null }
  const clamp = (/** @type {unknown} */ ms) => Math.min(Math.max(Number(ms) || 0, 0), HINT_MAX_MS)
  if (typeof hint?.retry_ms !== 'number') return null
  return { retryMs: clamp(hint.retry_ms), jitterMs: clamp(hint.jitter_ms) }
}

/** Ms since 1970, finer than `Date.now`; for latencies, since a phone's sleep may stop it. */
const now = () => performance.timeOrigin + performance.now()

/** @param {Time} time @returns {number} ms since 1970 */
export function millisOf (time) {
  if (typeof time === 'number') return time / 1e6
  // No engine keeps, and not every one reads, more than three digits of fraction.
  const rest = time.length > 24 ? Number(`0.${time.slice(23, -1)}`) : 0
  return Date.parse(rest ? time.slice(0, 23) + 'Z' : time) + rest
}

export class Tapecast {
  /** The next one first. */ #urls
  #options
  /** @type {State} */ #state = { name: 'connecting', attempt: 0 }
  /** @type {Map<string, Set<Function>>} */ #events = new Map()
  /** Callbacks by "channel symbol". @type {Map<string, Set<Function>>} */ #wanted = new Map()
  /** What this connection was asked for. @type {Set<string>} */ #asked = new Set()
  /** Last sequence number by "channel symbol". @type {Map<string, number>} */ #sequence = new Map()
  /** Newest quote and bar by the same. @type {Map<string, Item>} */ #newest = new Map()
  /** That the numbers belong to. */ #epoch = ''
  /** @type {Socket | null} */ #socket = null
  #isOpen = false
  #isSyncDue = false
  #attempt = 0
  #heardAt = 0
  #muteMaxMs
  #pingedAt = 0
  #nextId = 1
  /** Of the ping that is not answered yet; 0 for none. */ #pingId = 0
  /** All hear the same. @type {{retryMs: number, jitterMs?: number} | null} */ #announced = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #retry
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #resync
  /** @type {ReturnType<typeof setInterval> | undefined} */ #watch
  /** Answers to pings: time there and back, and the server's clock less ours.
   * @type {{rttMs: number, offsetMs: number}[]} */ #clocks = []

  /**
   * Connects at once. @param {string | URL | (string | URL)[]} url of the stream, `ws:` or `wss:`;
   * of several nodes of one publisher it takes the next when one is lost @param {Options} [options]
   */
  constructor (url, options = {}) {
    const heartbeatMs = options.heartbeatMs ?? 1_000
    this.#options = {
      WebSocket: options.WebSocket ?? /** @type {any} */ (globalThis).WebSocket,
      staleMs: options.staleMs ?? 3 * heartbeatMs,
      deadMs: options.deadMs ?? Math.max(10_000, 5 * heartbeatMs),
      connectMs: options.connectMs ?? 10_000,
      random: options.random ?? Math.random
    }
    if (!this.#options.WebSocket) {
      throw new TypeError('no global WebSocket here: give one as options.WebSocket (npm: ws)')
    }
    this.#urls = [url].flat().map(one => new URL(one))
    for (const { searchParams } of this.#urls) {
      searchParams.set('heartbeat_ms', String(heartbeatMs))
      if (options.maxHz) searchParams.set('max_hz', String(options.maxHz))
    }
    this.#muteMaxMs = this.#options.deadMs
    globalThis.document?.addEventListener('visibilitychange', this.#wake)
    globalThis.window?.addEventListener('online', this.#wake)
    // Later than this turn, so that who listens to states hears of the first.
    this.#retry = setTimeout(() => this.#connect(), 0)
  }

  get state () { return this.#state }

  /** The best known distance to the server, and its clock less ours; null before a pong. */
  get clock () {
    return this.#clocks.reduce((a, b) => (a && a.rttMs <= b.rttMs ? a : b), this.#clocks[0]) ?? null
  }

  /**
   * Age of an item in ms by the server's clock; null as long as that is not known.
   * @param {{t: Time}} item @returns {number | null}
   */
  ageMs (item) {
    const clock = this.clock
    return clock && now() + clock.offsetMs - millisOf(item.t)
  }

  /**
   * Listens. @template {keyof Events} K @param {K} event
   * @param {(value: Events[K]) => void} listener @returns {() => void} ends it
   */
  on (event, listener) {
    const listeners = this.#events.get(event) ?? new Set()
    this.#events.set(event, listeners.add(listener))
    return () => { listeners.delete(listener) }
  }

  /**
   * Subscribes to what there is a callback for; `*` is every symbol. What is known already of the
   * newest quote and bar is told at once, otherwise it comes as a snapshot.
   * @param {string | string[]} symbols @param {Callbacks} callbacks
   * @returns {() => void} takes it back
   */
  subscribe (symbols, callbacks) {
    /** @type {[string, Function][]} */ const added = []
    for (const [kind, channel] of Object.entries(KINDS)) {
      /** @type {Function | undefined} */ const given = /** @type {any} */ (callbacks)[kind]
      for (const symbol of given ? new Set([symbols].flat()) : []) {
        // One of its own, so that the same function may be given twice.
        added.push([`${channel} ${symbol}`, (/** @type {any} */ value) => given?.(value)])
      }
    }
    for (const [key, callback] of added) {
      const callbacks = this.#wanted.get(key) ?? new Set()
      this.#wanted.set(key, callbacks.add(callback))
      for (const item of this.#known(key)) this.#call(callback, item)
    }
    this.#syncSoon()
    return () => {
      for (const [key, callback] of added.splice(0)) this.#forget(key, callback)
      this.#syncSoon()
    }
  }

  /** Tries now, also after `closed`; a live connection is left alone. */
  reconnect () {
    if (this.#socket || this.#state.name === 'connecting') return
    clearTimeout(this.#retry)
    this.#connect()
  }

  /** Ends for good; nothing is called any more but a last `state`. */
  close () {
    globalThis.document?.removeEventListener('visibilitychange', this.#wake)
    globalThis.window?.removeEventListener('online', this.#wake)
    this.#release(() => this.#socket?.close())
    if (this.#state.name !== 'closed') this.#tell({ name: 'closed', code: 1000, reason: '' })
    this.#wanted.clear()
    this.#events.clear()
  }

  #connect () {
    this.#tell({ name: 'connecting', attempt: this.#attempt })
    if (this.#state.name !== 'connecting') return // who was told has called `close`
    const url = /** @type {URL} */ (this.#urls.shift())
    this.#urls.push(url)
    const socket = this.#socket = new this.#options.WebSocket(url.href)
    this.#heardAt = Date.now()
    this.#muteMaxMs = this.#options.connectMs
    this.#watch = setInterval(() => this.#look(), Math.min(500, this.#options.staleMs / 4))
    const isCurrent = () => socket === this.#socket
    socket.onmessage = (/** @type {{data: unknown}} */ event) => {
      if (isCurrent()) this.#receive(String(event.data))
    }
    // Says nothing that the close, which follows, does not say better.
    socket.onerror = () => {}
    socket.onclose = (/** @type {{code: number, reason: unknown}} */ event) => {
      if (isCurrent()) this.#lost(event.code, String(event.reason ?? ''))
    }
  }

  /** Leaves the connection behind, without waiting for the other side. */
  #release (/** @type {() => unknown} */ end) {
    clearTimeout(this.#retry)
    clearTimeout(this.#resync)
    clearInterval(this.#watch)
    end()
    this.#socket = null
    this.#isOpen = false
    this.#pingId = 0
    this.#asked.clear()
  }

  #lost (/** @type {number} */ code, /** @type {string} */ reason) {
    const socket = this.#socket
    // A dead peer answers no Close frame: Node's `ws` would wait for it.
    this.#release(() => socket?.terminate ? socket.terminate() : socket?.close())
    const hint = hintOf(code, reason) ?? this.#announced
    this.#announced = null
    if (FINAL.has(code)) return this.#tell({ name: 'closed', code, reason })
    const { random } = this.#options
    const jittered = fullJitterMs(this.#attempt++, random)
    const retryMs = hint ? hint.retryMs + random() * (hint.jitterMs ?? hint.retryMs) : jittered
    this.#wait(Math.round(retryMs), hint !== null, code, reason)
  }

  /** @param {number} retryMs @param {boolean} hinted @param {number} code @param {string} reason */
  #wait (retryMs, hinted, code, reason) {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#connect(), retryMs)
    this.#tell({ name: 'waiting', retryMs, hinted, code, reason })
  }

  /** Somebody looks again, or the network is back: what was patient before is in a hurry now. */
  #wake = () => {
    if (globalThis.document?.visibilityState === 'hidden') return
    const state = this.#state
    // A server that named a time meant it, also for who has just come back.
    if (state.name === 'waiting' && !state.hinted) {
      const retryMs = Math.round(this.#options.random() * BACKOFF_FIRST_MS)
      if (retryMs < state.retryMs) this.#wait(retryMs, false, state.code, state.reason)
    } else if (this.#isOpen && Date.now() - this.#heardAt > this.#options.staleMs) {
      this.#muteMaxMs = Date.now() - this.#heardAt + PROOF_MS
      this.#ping()
    }
  }

  #look () {
    const muteMs = Date.now() - this.#heardAt
    if (muteMs > this.#muteMaxMs) {
      this.#lost(1006, `nothing came for ${muteMs} ms`)
    } else if (this.#state.name === 'live' && muteMs > this.#options.staleMs) {
      this.#tell({ name: 'stale', muteMs })
    } else if (this.#isOpen && now() - this.#pingedAt > this.#pingMs) {
      this.#ping()
    }
  }

  /** Another one in between would have the answer to the first taken for none of ours. */
  get #pingMs () {
    if (this.#pingId !== 0) return PONG_MS_MAX
    return this.#clocks.length < CLOCKS_MAX ? 0 : PING_MS
  }

  #ping () {
    this.#pingedAt = now()
    this.#pingId = this.#nextId++
    this.#send({ action: 'ping', id: this.#pingId })
  }

  #send (/** @type {object} */ message) { this.#socket?.send(JSON.stringify(message)) }

  #receive (/** @type {string} */ text) {
    this.#heardAt = Date.now()
    /** @type {any[]} */ let events
    try { events = JSON.parse(text) } catch { return this.#lost(1006, 'no JSON came') }
    if (this.#isOpen) this.#muteMaxMs = this.#options.deadMs
    if (this.#state.name === 'stale') this.#tell(this.#live)
    for (const event of events) this.#take(event)
  }

  /** @type {State} */ #live = this.#state

  #take (/** @type {any} */ event) {
    switch (event.T) {
      case 't': case 'q': case 'b': return this.#item(event)
      case 'gap': return this.#gap(event)
      case 'success': if (event.msg === 'connected') this.#opened(event); return
      case 'hb': this.#attempt = 0; return this.#emit('heartbeat', event)
      case 'feed': return this.#emit('feed', event)
      case 'pong': return this.#pong(event)
      case 'epoch': this.#startOver(event.epoch); return
      case 'shutdown': this.#announced = { retryMs: event.retry_ms }; return
      case 'error':
        if (event.code === 429) this.#askAgain()
        this.#emit('error', event)
    }
  }

  #opened (/** @type {{epoch: string, session: string}} */ { epoch, session }) {
    this.#isOpen = true
    this.#live = { name: 'live', epoch, session }
    this.#clocks = []
    this.#ping()
    // With the numbers and the epoch of before: an epoch that is over brings the gaps for them.
    this.#sync()
    if (epoch !== this.#epoch) this.#startOver(epoch)
    this.#tell(this.#live)
  }

  #startOver (/** @type {string} */ epoch) {
    this.#epoch = epoch
    this.#sequence.clear()
    this.#newest.clear()
  }

  #pong (/** @type {{t: Time, id?: number}} */ { t, id }) {
    if (id !== this.#pingId) return
    this.#pingId = 0
    const [sent, came] = [this.#pingedAt, now()]
    this.#clocks.push({ rttMs: came - sent, offsetMs: millisOf(t) - (sent + came) / 2 })
    if (this.#clocks.length > CLOCKS_MAX) this.#clocks.shift()
  }

  #item (/** @type {Item} */ item) {
    this.#attempt = 0
    const channel = CHANNELS[item.T]
    const key = `${channel} ${item.S}`
    const callbacks = [this.#wanted.get(key), this.#wanted.get(`${channel} *`)]
    if (!callbacks[0] && !callbacks[1]) return
    const last = this.#sequence.get(key)
    if (last !== undefined) {
      if (item.sq < last || (item.sq === last && !('sn' in item))) return
      // Above 1,000 symbols of `*`, `since` cannot name all, and the server knows of no loss.
      const isHole = item.T === 't' && item.sq > last + 1
      if (isHole) this.#gap({ T: 'gap', S: item.S, ch: channel, from: last + 1, to: item.sq - 1 })
    }
    this.#sequence.set(key, item.sq)
    if (item.T !== 't') this.#newest.set(key, item)
    for (const set of callbacks) for (const callback of set ?? []) this.#call(callback, item)
  }

  #gap (/** @type {Gap} */ gap) {
    const key = `${gap.ch} ${gap.S}`
    const last = this.#sequence.get(key)
    if (gap.from === undefined && last !== undefined) gap = { ...gap, from: last + 1 }
    if (gap.to !== undefined && gap.to > (last ?? 0)) this.#sequence.set(key, gap.to)
    this.#emit('gap', gap)
    for (const name of [`gaps ${gap.S}`, 'gaps *']) {
      for (const callback of this.#wanted.get(name) ?? []) this.#call(callback, gap)
    }
  }

  /** Newest items that a new callback has missed. @returns {Iterable<Item>} */
  #known (/** @type {string} */ key) {
    const [channel, symbol] = key.split(' ')
    if (symbol !== '*') return [this.#newest.get(key)].filter(item => item !== undefined)
    return [...this.#newest.values()].filter(item => CHANNELS[item.T] === channel)
  }

  #forget (/** @type {string} */ key, /** @type {Function} */ callback) {
    const callbacks = this.#wanted.get(key)
    callbacks?.delete(callback)
    if (!callbacks || callbacks.size > 0) return
    this.#wanted.delete(key)
    // Without a subscription the numbers go on unseen, and would look like a loss later.
    const [channel, symbol] = key.split(' ')
    for (const known of symbol === '*' ? [...this.#sequence.keys()] : [key]) {
      const isStill = this.#wanted.has(known) || this.#wanted.has(`${channel} *`)
      if (!known.startsWith(channel) || isStill) continue
      this.#sequence.delete(known)
      this.#newest.delete(known)
    }
  }

  /** Once for all that this turn asks for. */
  #syncSoon () {
    if (this.#isSyncDue) return
    this.#isSyncDue = true
    queueMicrotask(() => { this.#isSyncDue = false; this.#sync() })
  }

  /** Asks the server for what is wanted and was not asked, and back. */
  #sync () {
    if (!this.#isOpen) return
    const gone = [...this.#asked].filter(key => !this.#wanted.has(key))
    const isNew = (/** @type {string} */ key) => !key.startsWith('gaps') && !this.#asked.has(key)
    const fresh = [...this.#wanted.keys()].filter(isNew)
    this.#ask('unsubscribe', gone)
    this.#ask('subscribe', fresh)
    for (const key of gone) this.#asked.delete(key)
    for (const key of fresh) this.#asked.add(key)
  }

  #ask (/** @type {'subscribe' | 'unsubscribe'} */ action, /** @type {string[]} */ keys) {
    /** @type {Map<string, string[]>} */ const symbols = new Map()
    for (const [channel, symbol] of keys.map(key => key.split(' '))) {
      symbols.set(symbol, [...symbols.get(symbol) ?? [], channel])
    }
    const all = [...symbols]
    while (all.length > 0) {
      /** @type {any} */ const message = { action, id: this.#nextId++ }
      for (const [symbol, channels] of all.splice(0, SYMBOLS_PER_MESSAGE)) {
        for (const channel of channels) (message[channel] ??= []).push(symbol)
      }
      if (action === 'subscribe') this.#resume(message)
      this.#send(message)
    }
  }

  /** Says what is there already, of what the message asks for. */
  #resume (/** @type {any} */ message) {
    /** @type {Map<string, Record<string, number>>} */ const since = new Map()
    const asked = new Set(Object.values(CHANNELS).flatMap(channel => (
      (message[channel] ?? []).map((/** @type {string} */ symbol) => `${channel} ${symbol}`))))
    for (const [key, sq] of this.#sequence) {
      const [channel, symbol] = key.split(' ')
      if (!asked.has(key) && !asked.has(`${channel} *`)) continue
      if (since.size >= SINCE_SYMBOLS_MAX && !since.has(symbol)) continue
      since.set(symbol, { ...since.get(symbol), [channel]: sq })
    }
    if (since.size === 0) return
    message.epoch = this.#epoch
    message.since = Object.fromEntries(since)
  }

  /** A message was not read, and nobody knows which: all is asked for once more. */
  #askAgain () {
    clearTimeout(this.#resync)
    this.#resync = setTimeout(() => { this.#asked.clear(); this.#sync() }, RESYNC_MS)
  }

  #tell (/** @type {State} */ state) {
    this.#state = state
    this.#emit('state', state)
  }

  /** @template {keyof Events} K @param {K} event @param {Events[K]} value */
  #emit (event, value) {
    for (const listener of this.#events.get(event) ?? []) this.#call(listener, value)
  }

  /** What a callback throws is reported as it would be anywhere, and costs the stream nothing. */
  #call (/** @type {Function} */ callback, /** @type {unknown} */ value) {
    try { callback(value) } catch (error) { queueMicrotask(() => { throw error }) }
  }
}
