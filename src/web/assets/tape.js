// The tape: the last trades, newest first. It stands still while it is read.

import { millisOf } from '../tapecast.js'
import { make } from './elements.js'
import { clock, decimalsOf, fixed, whole } from './numbers.js'

const PRINTS_MAX = 80

export class Tape {
  #list
  #title
  #none
  #single = null
  #waiting = []
  #frame = 0
  #isHeld = false
  #last = new Map()

  constructor (list, title, none) {
    this.#list = list
    this.#title = title
    this.#none = none
    const hold = isHeld => () => { this.#isHeld = isHeld; this.#tell(); this.#soon() }
    for (const [event, isHeld] of [['pointerenter', true], ['pointerleave', false],
      ['focus', true], ['blur', false]]) list.addEventListener(event, hold(isHeld))
    this.#tell()
  }

  /** Shows the trades of one symbol alone, or of all for null. */
  single (symbol) {
    this.#single = symbol
    this.clear()
    this.#tell()
  }

  clear () {
    this.#waiting = []
    this.#list.replaceChildren()
    this.#none.hidden = false
  }

  trade (trade) {
    const before = this.#last.get(trade.S)
    this.#last.set(trade.S, trade.p)
    if (this.#single && this.#single !== trade.S) return
    this.#take({ trade, way: Math.sign(trade.p - (before ?? trade.p)) })
  }

  gap ({ S, from, to }) {
    if (this.#single && this.#single !== S) return
    const count = from !== undefined && to !== undefined ? whole(to - from + 1) : 'some'
    this.#take({ gap: `${S}: ${count} trades were missed` })
  }

  #take (print) {
    this.#waiting.push(print)
    // Nobody sees more than these, and a tab in the background would collect for hours.
    if (this.#waiting.length > PRINTS_MAX) this.#waiting.shift()
    this.#soon()
  }

  #soon () {
    if (this.#isHeld || this.#waiting.length === 0) return
    this.#frame ||= requestAnimationFrame(() => this.#render())
  }

  #render () {
    this.#frame = 0
    const prints = this.#waiting.splice(0).map(print => print.gap ? gapLine(print) : line(print))
    this.#list.prepend(...prints.reverse())
    while (this.#list.childElementCount > PRINTS_MAX) this.#list.lastElementChild.remove()
    this.#none.hidden = this.#list.childElementCount > 0
  }

  #tell () {
    const of = this.#single ? `of ${this.#single}` : 'all on the board'
    this.#title.textContent = this.#isHeld ? `${of}, paused` : of
  }
}

function line ({ trade, way }) {
  const arrow = { 1: '▲ ', '-1': '▼ ', 0: '' }[way]
  const kind = { 1: 'span.up', '-1': 'span.down', 0: 'span' }[way]
  const price = fixed(trade.p, Math.max(2, decimalsOf(trade.p)))
  return make('li', make('time', clock(millisOf(trade.t), true)), make('b', trade.S),
    make(kind, arrow + price), make('span.size', whole(trade.s)))
}

const gapLine = ({ gap }) => make('li.gap', gap)
