// The status page: asks for the status every second, and for lagging sessions every two.

import { draw } from './chart.js'
import { badge, emptyRow, make, tableRow } from './elements.js'
import { bytes, clock, short, span, whole } from './numbers.js'
import { ask } from './server.js'
import { shardCard } from './shards.js'

const $ = id => document.getElementById(id)
const STATUS_MS = 1_000
const SESSIONS_MS = 2_000
const SESSIONS_MAX = 100
const FEED = { live: 'good', stale: 'warn', retrying: 'warn', ended: 'bad' }

/** The answer before, for what happened in between. */
let before = null
let answeredAt = null

const sum = counts => Object.values(counts ?? {}).reduce((total, count) => total + count, 0)
/** Of whole milliseconds. */
const ageOf = ms => (ms === null ? 'no tick yet' : ms < 1 ? '<1 ms' : span(ms))

/** Of a number that only grows; null where the server has started again in between. */
function perSecond (status, key) {
  if (!before || before.epoch !== status.epoch) return null
  const seconds = status.uptime_s - before.uptime_s
  return seconds > 0 ? (status.totals[key] - before.totals[key]) / seconds : null
}

function tiles (status) {
  const { totals, shards, history } = status
  const rate = key => { const n = perSecond(status, key); return n === null ? '–' : short(n) }
  const worst = name => Math.max(0, ...shards.map(shard => shard.latency_us?.[name] ?? 0))
  const lately = history.length > 1 ? flow(history).reduce((n, p) => n + (p.refused ?? 0), 0) : 0
  return [
    ['Sessions', whole(totals.sessions), `of ${whole(totals.sessions_max)}`],
    ['Ticks in a second', rate('ticks_in'), `${short(totals.ticks_in)} since the start`],
    ['Items out a second', rate('items_out'), `${bytes(totals.bytes_out)} since the start`],
    ['Tick to socket, p99', span(worst('p99') / 1000), `p50 ${span(worst('p50') / 1000)}`],
    ['Refused', whole(lately), `in 5 min; ${whole(sum(totals.refused))} since the start`],
    ['Lagging', whole(totals.lagging), 'sessions behind']
  ]
}

/** Points of the history as rates: its counts are those of the time since the point before. */
function flow (history) {
  return history.map((point, i) => {
    const seconds = i > 0 ? point.t_s - history[i - 1].t_s : 5
    return { ...point, items_out: point.items_out / seconds }
  })
}

function charts ({ history }) {
  const last = history[history.length - 1]
  const us = value => span(value / 1000)
  draw($('latency'), history, [{ key: 'p99_us', kind: 'p99' }, { key: 'p50_us', kind: 'p50' }], {
    write: us,
    isLogarithmic: true,
    title: last ? `Latest: p50 ${us(last.p50_us)}, p99 ${us(last.p99_us)}` : 'No latencies yet'
  })
  const points = flow(history)
  const rate = points[points.length - 1]?.items_out ?? 0
  const most = Math.max(0, ...points.map(point => point.refused ?? 0))
  $('refusals').textContent = most > 0 ? `refusals, at most ${short(most)} in 5 s` : 'no refusals'
  draw($('flow'), points, [{ key: 'items_out', kind: 'out', isArea: true }], {
    write: short,
    marks: { key: 'refused', kind: 'refused' },
    title: `Latest: ${short(rate)} items a second`
  })
}

function feeds (list) {
  const rows = list.map(feed => tableRow([
    feed.feed, badge(feed.state, FEED[feed.state] ?? 'warn'), { num: ageOf(feed.age_ms) },
    { num: short(feed.rate) }, { num: whole(feed.ticks) }, { num: whole(feed.bad_lines) },
    { num: whole(feed.reconnects) }
  ]))
  $('feeds').replaceChildren(...rows.length ? rows : [emptyRow(7, 'No feed')])
}

/** Counts by word, the most first. */
function words (list, counts) {
  const entries = Object.entries(counts ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
  const items = entries.map(([word, count]) => {
    const fill = make('span')
    fill.style.width = `${(count / entries[0][1]) * 100}%`
    return make('li', make('span', word.replaceAll('_', ' ')), make('div.bar', fill),
      make('span', whole(count)))
  })
  list.replaceChildren(...items.length ? items : [make('li.none', 'None')])
}

function show (status) {
  $('tiles').replaceChildren(...tiles(status).map(([name, value, more]) => (
    make('div', make('dt', name), make('dd', value), make('dd', more)))))
  charts(status)
  $('shards').replaceChildren(...status.shards.map(shardCard))
  feeds(status.feeds)
  words($('refused'), status.totals.refused)
  words($('closed'), status.totals.closed)
  $('uptime').textContent = `up ${span(status.uptime_s * 1000)}`
  $('about').textContent = `Tapecast ${status.version}, stream on ${status.stream.listen}` +
    `${status.stream.path}, epoch ${status.epoch}`
}

function sessions ({ sessions, total, silent_shards: silent }) {
  const rows = sessions.map(session => tableRow([
    session.session, session.address ?? 'not shown', { num: session.shard }, session.state,
    { num: span(session.age_s * 1000) }, { num: whole(session.symbols) },
    { num: session.behind_ms === null ? '–' : span(session.behind_ms) },
    { num: whole(session.behind_ticks) }, { num: bytes(session.unsent_bytes) }
  ]))
  $('lagging').replaceChildren(...rows.length ? rows : [emptyRow(9, 'Nobody is behind.')])
  const count = total > sessions.length ? `${sessions.length} of ${whole(total)}` : ''
  const mute = silent?.length ? `no answer from shard ${silent.join(', ')}` : ''
  $('lagging-count').textContent = [count, mute].filter(text => text).join('; ')
}

/** The word in the header and the banner; null where nothing is to be said. */
function tell (state, word, notice) {
  $('state').dataset.state = state
  if ($('state-name').textContent !== word) $('state-name').textContent = word
  $('notice').hidden = !notice
  if (!notice) return
  $('notice').dataset.grade = state === 'waiting' ? 'bad' : 'warn'
  $('notice-title').textContent = notice[0]
  $('notice-why').textContent = notice[1]
}

function judge ({ state, ready, reasons }) {
  const why = reasons.join('; ')
  if (state === 'draining') {
    return tell('stale', 'Draining', ['The server is stopping', 'It accepts nobody any more.'])
  }
  if (!ready) return tell('stale', 'Not ready', ['The server is not ready', why])
  tell('live', 'Serving', null)
}

function unanswered (error) {
  const since = answeredAt === null ? '' : ` Below is what it said at ${clock(answeredAt)}, ` +
    `${span(Date.now() - answeredAt)} ago.`
  $('desk').classList.add('old')
  tell('waiting', 'No answer', ['The server does not answer', `(${error.message}).${since}`])
}

/** Who marks an address to copy it does not want it replaced meanwhile. */
const isSelecting = () => {
  const selection = getSelection()
  return selection.type === 'Range' && $('desk').contains(selection.anchorNode)
}

async function refresh () {
  try {
    const status = await ask('/api/status')
    answeredAt = Date.now()
    $('desk').classList.remove('old')
    judge(status)
    if (!isSelecting()) show(status)
    before = status
  } catch (error) {
    unanswered(error)
  }
}

async function refreshSessions () {
  try {
    const answer = await ask(`/api/sessions?state=lagging&limit=${SESSIONS_MAX}`)
    if (!isSelecting()) sessions(answer)
  } catch {
    // The status says in a banner that no answer comes; once is enough.
  }
}

/** One question at a time, and none from a page that nobody sees. */
async function every (ms, task) {
  for (;;) {
    if (document.visibilityState !== 'hidden') await task()
    await new Promise(resolve => setTimeout(resolve, ms))
  }
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') refresh()
})
every(STATUS_MS, refresh)
every(SESSIONS_MS, refreshSessions)
