// The board: rows in the order in which they were chosen, written once a frame at most.

import { Row } from './row.js'

export class Board {
  #rows = new Map()
  #dirty = new Set()
  #frame = 0
  #table
  #body
  #calls

  /** `calls`: what happens on `remove(symbol)` and `single(symbol)`. */
  constructor (table, body, calls) {
    this.#table = table
    this.#body = body
    this.#calls = calls
    body.addEventListener('click', event => this.#click(event))
    body.addEventListener('keydown', event => this.#key(event))
    // A line has a point a second also where nothing is traded.
    setInterval(() => { for (const row of this.#rows.values()) row.sample() }, 1_000)
  }

  get symbols () { return [...this.#rows.keys()] }

  add (symbol) {
    const row = new Row(symbol)
    this.#rows.set(symbol, row)
    this.#body.append(row.element)
    this.#table.hidden = false
  }

  /** The focus, if it is there, goes on to the next row. */
  remove (symbol) {
    const row = this.#rows.get(symbol)
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling
    if (row.element.contains(document.activeElement)) next?.querySelector('.name').focus()
    row.element.remove()
    this.#rows.delete(symbol)
    this.#dirty.delete(row)
    this.#table.hidden = this.#rows.size === 0
  }

  quote (quote) { this.#mark(quote, row => row.quote(quote)) }

  trade (trade) { this.#mark(trade, row => row.trade(trade)) }

  /** Marks the one whose trades the tape shows alone; null for none. */
  press (symbol) {
    for (const row of this.#rows.values()) {
      row.name.setAttribute('aria-pressed', String(row.symbol === symbol))
    }
  }

  show (symbol) {
    const { name } = this.#rows.get(symbol)
    name.focus()
    name.scrollIntoView({ block: 'nearest' })
  }

  #mark ({ S }, change) {
    const row = this.#rows.get(S)
    if (!row) return
    change(row)
    this.#dirty.add(row)
    this.#frame ||= requestAnimationFrame(() => this.#render())
  }

  #render () {
    this.#frame = 0
    for (const row of this.#dirty) row.render()
    this.#dirty.clear()
  }

  #click ({ target }) {
    const symbol = target.closest('tr')?.dataset.symbol
    if (target.closest('.remove')) this.#calls.remove(symbol)
    else if (target.closest('.name')) this.#calls.single(symbol)
  }

  #key (event) {
    const row = event.target.closest('tr')
    const to = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }
    if (event.key === 'Delete') this.#calls.remove(row.dataset.symbol)
    else if (event.key in to) to[event.key]?.querySelector('.name').focus()
    else return
    event.preventDefault()
  }
}
