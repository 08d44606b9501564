// A line chart of the last minutes, as SVG.

import { draw as part, make } from './elements.js'

const [HEIGHT, TOP, BOTTOM, LEFT] = [190, 8, 20, 62]
const GRID_LINES = 3

/**
 * `points`: objects with `t_s`, seconds before now as negatives. `lines`: `{key, kind}`. `marks`:
 * one of the same whose values stand on the ground, on a scale of their own. `write` writes a
 * value; `title` says all in a sentence.
 */
export function draw (figure, points, lines, { write, title, marks, isLogarithmic = false }) {
  const width = Math.max(280, figure.clientWidth - 28)
  const values = points.flatMap(point => lines.map(line => point[line.key])).filter(isNumber)
  if (points.length < 2 || values.length === 0) return blank(figure)
  const scale = isLogarithmic ? logarithmic(values) : linear(values)
  const seconds = Math.max(60, -points[0].t_s)
  const x = t => width + (t / seconds) * (width - LEFT)
  const y = value => HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - TOP - BOTTOM)
  const svg = part('svg', {
    class: 'chart', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': title
  })
  for (const mark of scale.marks) {
    const at = y(mark)
    svg.append(part('path', { class: 'grid', d: `M${LEFT} ${at}H${width}` }))
    svg.append(part('text', { x: LEFT - 8, y: at + 4, 'text-anchor': 'end' }, write(mark)))
  }
  for (let t = 0; t >= -seconds; t -= seconds > 120 ? 60 : 30) {
    const [anchor, text] = t === 0 ? ['end', 'now'] : ['middle', `${t} s`]
    if (x(t) < LEFT) continue
    svg.append(part('text', { x: x(t), y: HEIGHT - 3, 'text-anchor': anchor }, text))
  }
  if (marks) svg.append(...posts(points, marks, x))
  for (const line of lines) svg.append(...curve(points, line, x, y))
  figure.replaceChildren(svg)
}

const isNumber = value => typeof value === 'number' && Number.isFinite(value)

function blank (figure) {
  figure.replaceChildren(make('p.blank', 'The first points come within some seconds.'))
}

function curve (points, { key, kind, isArea }, x, y) {
  const known = points.filter(point => isNumber(point[key]))
  if (known.length < 2) return []
  const way = known.map(point => `${x(point.t_s).toFixed(1)} ${y(point[key]).toFixed(1)}`).join('L')
  const parts = [part('path', { class: kind, d: `M${way}` })]
  if (isArea) {
    const [from, to] = [x(known[0].t_s), x(known[known.length - 1].t_s)]
    const ground = HEIGHT - BOTTOM
    parts.unshift(part('path', { class: 'area', d: `M${from} ${ground}L${way}L${to} ${ground}Z` }))
  }
  return parts
}

/** The highest takes a third of the height. */
function posts (points, { key, kind }, x) {
  const most = Math.max(...points.map(point => point[key] ?? 0))
  if (most === 0) return []
  const ground = HEIGHT - BOTTOM
  const height = value => Math.max(3, (value / most) * (ground - TOP) / 3)
  const posts = points.filter(point => point[key] > 0)
    .map(point => `M${x(point.t_s).toFixed(1)} ${ground}v-${height(point[key]).toFixed(1)}`)
  return [part('path', { class: kind, d: posts.join('') })]
}

/** From 0 to a round number above the highest. */
function linear (values) {
  const most = Math.max(...values, 1)
  const size = 10 ** Math.floor(Math.log10(most / GRID_LINES))
  const step = [1, 2, 5, 10].map(n => n * size).find(s => s * GRID_LINES >= most)
  const marks = Array.from({ length: GRID_LINES + 1 }, (_, i) => i * step)
  return { marks, share: value => value / (step * GRID_LINES) }
}

/** By whole powers of ten: a p99 may be a hundred times the p50. */
function logarithmic (values) {
  const positive = values.filter(value => value > 0)
  const low = Math.floor(Math.log10(Math.min(...positive, 1e12)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1))))
  const marks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  const share = value => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)
  return { marks, share }
}
