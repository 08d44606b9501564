// A line of the last prices, as SVG, so that it takes the colours of its row and of the theme.

import { draw } from './elements.js'

const [WIDTH, HEIGHT, MARGIN] = [120, 32, 3]
/** Two minutes of one point a second. */
const POINTS_MAX = 120
/** So many seconds fill the line at least; younger ones begin farther right. */
const SPAN_MIN = 30

export class Spark {
  #points = []
  #area = draw('path', { class: 'spark-area' })
  #base = draw('path', { class: 'spark-base' })
  #line = draw('path', { class: 'spark-line' })

  constructor () {
    // Hidden, since the change beside it says the same in words.
    const frame = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none' }
    const parts = [this.#area, this.#base, this.#line]
    this.element = draw('svg', { ...frame, 'aria-hidden': 'true' }, ...parts)
  }

  /** Once a second: the price of now, against the first one. */
  add (price, first) {
    this.#points.push(price)
    if (this.#points.length > POINTS_MAX) this.#points.shift()
    this.#draw(first)
  }

  #draw (first) {
    const points = this.#points
    if (points.length < 2) return
    const low = Math.min(first, ...points)
    const high = Math.max(first, ...points)
    const scale = (HEIGHT - 2 * MARGIN) / (high - low || 1)
    const y = price => (high === low ? HEIGHT / 2 : HEIGHT - MARGIN - (price - low) * scale)
    const step = WIDTH / (Math.max(points.length, SPAN_MIN) - 1)
    // New points come in at the right, as on a tape.
    const left = WIDTH - (points.length - 1) * step
    const way = points.map((price, i) => `${(left + i * step).toFixed(1)} ${y(price).toFixed(1)}`)
    const base = y(first).toFixed(1)
    this.#line.setAttribute('d', `M${way.join('L')}`)
    this.#area.setAttribute('d', `M${left.toFixed(1)} ${base}L${way.join('L')}L${WIDTH} ${base}Z`)
    this.#base.setAttribute('d', `M0 ${base}H${WIDTH}`)
  }
}
