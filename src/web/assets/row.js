// One symbol of the board: what is known of it, and its cells.

import { millisOf } from '../tapecast.js'
import { make } from './elements.js'
import { clock, decimalsOf, fixed, short, signed } from './numbers.js'
import { Spark } from './spark.js'

const FLASH_MS = 650
/** A cell that flashed so lately is left alone: a busy symbol would never be calm. */
const FLASH_PAUSE_MS = 300
const stillness = matchMedia('(prefers-reduced-motion: reduce)')

const CROSS = '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" ' +
  'stroke-linecap="round" aria-hidden="true"><path d="M7 7l10 10M17 7 7 17"/></svg>'
const CELLS = '<th role="rowheader" scope="row" class="symbol">' +
  '<button type="button" class="name" aria-pressed="false"></button></th>' +
  '<td role="cell" class="num last"><span class="value">—</span></td>' +
  '<td role="cell" class="num change"><span class="amount"></span> ' +
  '<span class="percent">—</span></td><td role="cell" class="chart"></td>' +
  '<td role="cell" class="num bid"><b>—</b> <small></small></td>' +
  '<td role="cell" class="num ask"><b>—</b> <small></small></td>' +
  '<td role="cell" class="num wide spread">—</td><td role="cell" class="num wide volume">—</td>' +
  '<td role="cell" class="num wide time">—</td><td role="cell" class="end">' +
  `<button type="button" class="round remove">${CROSS}</button></td>`

export class Row {
  #quote = null
  #trade = null
  #first = null
  #shown = { last: null, bid: null, ask: null }
  #flashedAt = new WeakMap()
  #volume = 0
  #decimals = 2
  #spark = new Spark()
  #cell = {}

  constructor (symbol) {
    this.symbol = symbol
    this.element = make('tr.silent')
    this.element.dataset.symbol = symbol
    this.element.setAttribute('role', 'row')
    this.element.innerHTML = CELLS
    const find = selector => this.element.querySelector(selector)
    const names = ['amount', 'percent', 'spread', 'volume', 'time', 'change', 'last', 'value']
    for (const name of names) this.#cell[name] = find(`.${name}`)
    for (const side of ['bid', 'ask']) {
      this.#cell[side] = find(`.${side} b`)
      this.#cell[`${side}Size`] = find(`.${side} small`)
    }
    this.name = find('.name')
    this.name.textContent = symbol
    this.name.title = `Show the trades of ${symbol} alone`
    this.remove = find('.remove')
    this.remove.setAttribute('aria-label', `Remove ${symbol}`)
    find('.chart').append(this.#spark.element)
  }

  /** Price of the last trade; where no trade came yet, the middle of the quote. */
  get price () {
    if (this.#trade) return this.#trade.p
    return this.#quote && (this.#quote.bp + this.#quote.ap) / 2
  }

  quote (quote) {
    this.#quote = quote
    this.#decimals = Math.max(this.#decimals, decimalsOf(quote.bp), decimalsOf(quote.ap))
    this.#first ??= this.price
  }

  trade (trade) {
    // What follows is compared with a trade, not with the middle of a quote.
    if (!this.#trade) this.#first = trade.p
    this.#trade = trade
    this.#volume += trade.s
    this.#decimals = Math.max(this.#decimals, decimalsOf(trade.p))
  }

  sample () {
    if (this.price !== null) this.#spark.add(this.price, this.#first)
  }

  /** Writes what has changed, once a frame at most. */
  render () {
    this.element.classList.remove('silent')
    this.#renderPrice()
    if (this.#quote) this.#renderQuote(this.#quote)
    const newest = [this.#quote, this.#trade].filter(item => item).map(item => millisOf(item.t))
    this.#write('time', clock(Math.max(...newest)))
    if (this.#trade) this.#write('volume', short(this.#volume))
  }

  #renderPrice () {
    const price = this.price
    const change = price - this.#first
    this.#cell.last.classList.toggle('mid', !this.#trade)
    this.#cell.last.title = this.#trade ? '' : 'Middle of bid and ask: no trade yet'
    this.#write('value', fixed(price, this.#decimals))
    this.#flash('last', this.#cell.value, price)
    const way = change > 0 ? 'up' : change < 0 ? 'down' : ''
    const arrow = change > 0 ? '▲ ' : change < 0 ? '▼ ' : ''
    this.#cell.change.className = `num change ${way}`
    this.#spark.element.setAttribute('class', way || 'flat')
    this.#write('amount', arrow + signed(change, this.#decimals))
    this.#write('percent', `${signed((change / this.#first) * 100, 2)}%`)
  }

  #renderQuote ({ bp, bs, ap, as }) {
    this.#write('bid', fixed(bp, this.#decimals))
    this.#write('bidSize', `× ${short(bs)}`)
    this.#write('ask', fixed(ap, this.#decimals))
    this.#write('askSize', `× ${short(as)}`)
    this.#write('spread', fixed(ap - bp, this.#decimals))
    this.#flash('bid', this.#cell.bid, bp)
    this.#flash('ask', this.#cell.ask, ap)
  }

  #write (name, text) {
    if (this.#cell[name].textContent !== text) this.#cell[name].textContent = text
  }

  #flash (name, element, price) {
    const before = this.#shown[name]
    this.#shown[name] = price
    if (before === null || before === price || stillness.matches) return
    const now = performance.now()
    if (now - (this.#flashedAt.get(element) ?? -Infinity) < FLASH_PAUSE_MS) return
    this.#flashedAt.set(element, now)
    const way = price > before ? 'up' : 'down'
    // The last price lights up; the quotes, which change far more often, only change colour.
    const frames = name === 'last'
      ? [{ backgroundColor: `var(--${way}-flash)` }, { backgroundColor: 'transparent' }]
      : [{ color: `var(--${way})` }, { color: 'var(--text)' }]
    element.animate(frames, { duration: FLASH_MS, easing: 'ease-out' })
  }
}

