// The cards of the shards: each limit as a bar, and how the shard turns.

import { badge, make } from './elements.js'
import { bytes, short, span, whole } from './numbers.js'

const LIMITS = [
  ['sessions', 'Sessions', whole],
  ['half_open', 'Half-open', whole],
  ['descriptors', 'Descriptors', whole],
  ['inlet', 'Inlet', whole],
  ['memory_bytes', 'Memory', bytes]
]
const BREAKER = { normal: 'good', alert: 'warn', refuse: 'bad', shed: 'bad' }
const STATE = { turning: 'good', sleeping: 'good', stuck: 'bad', ended: 'bad' }

/** The steps at which the server itself tells, refuses and sheds. */
export function levelOf (share) {
  return [95, 85, 70].find(level => share >= level / 100) ?? 0
}

export function meter (name, { used, limit }, write) {
  const share = limit > 0 ? used / limit : 0
  const percent = `${Math.round(share * 100)} %`
  const fill = make('span')
  fill.style.width = `${Math.min(100, share * 100)}%`
  const bar = make('div.bar', fill)
  const attributes = { role: 'meter', 'aria-label': name, 'aria-valuemin': 0, 'aria-valuemax': 100 }
  for (const [key, value] of Object.entries(attributes)) bar.setAttribute(key, value)
  bar.setAttribute('aria-valuenow', Math.min(100, Math.round(share * 100)))
  bar.setAttribute('aria-valuetext', `${write(used)} of ${write(limit)}`)
  const of = make('span.of', `${write(used)} / ${write(limit)}`)
  const row = make('div.meter', make('span.name', name), bar, of, make('span.share', percent))
  row.dataset.level = levelOf(share)
  return row
}

function facts (pairs) {
  const list = make('dl.facts')
  for (const [name, value] of pairs) list.append(make('div', make('dt', name), make('dd', value)))
  return list
}

export function shardCard (shard) {
  const head = make('div.shard-head', make('h3', `Shard ${shard.shard}`),
    make('small', `core ${shard.core}`), badge(shard.state, STATE[shard.state] ?? 'warn'))
  if (shard.lag_refuses) head.append(badge('late: refuses', 'bad'))
  head.append(badge(`breaker ${shard.breaker}`, BREAKER[shard.breaker] ?? 'warn'))
  const meters = LIMITS.filter(([key]) => shard.limits[key])
    .map(([key, name, write]) => meter(name, shard.limits[key], write))
  const latency = shard.latency_us ?? {}
  const ms = us => (us === undefined || us === null ? '–' : span(us / 1000))
  return make('li', head, ...meters, facts([
    ['p50', ms(latency.p50)], ['p99', ms(latency.p99)], ['max', ms(latency.max)],
    ['turn late by', ms(shard.turn_lag_us)], ['tick late by', ms(shard.tick_lag_us)],
    ['window', shard.window_ms ? span(shard.window_ms) : 'none'],
    ['lagging', whole(shard.lagging)], ['conflated', short(shard.conflated)],
    ['gaps', whole(shard.gaps)], ['restarts', whole(shard.restarts)]
  ]))
}
