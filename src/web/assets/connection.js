// How the connection stands, in a word and, where it is not live, in a sentence with what to do.

import { clock } from './numbers.js'

/** Shorter interruptions are told by the word alone; a banner would only flicker. */
const NOTICE_AFTER_MS = 700

export class Connection {
  #parts
  #timer
  #ticking
  #lastAt = null
  #feed = 'ok'
  #isLive = false

  /** `parts`: elements `chip`, `word`, `notice`, `title`, `why`, `action`, `desk`. */
  constructor (parts, retry) {
    this.#parts = parts
    parts.action.addEventListener('click', retry)
  }

  /** Something came just now: until here the prices are good. */
  alive () { this.#lastAt = Date.now() }

  /** Worst state of the feeds, as the server's heartbeat has it. */
  feed ({ feed }) {
    if (feed === this.#feed) return
    this.#feed = feed
    if (this.#isLive) this.#live()
  }

  show (state) {
    clearTimeout(this.#timer)
    clearInterval(this.#ticking)
    this.#isLive = state.name === 'live'
    const kind = state.code === 1013 ? 'refused' : state.name
    this.#parts.chip.dataset.state = kind
    if (this.#isLive) return this.#live()
    this.#word(wordOf(state))
    const retryAt = Date.now() + (state.retryMs ?? 0)
    const tell = () => this.#notice(textOf(state, Math.max(0, retryAt - Date.now())), state)
    if (!this.#parts.notice.hidden || state.name === 'closed') tell()
    this.#timer = setTimeout(tell, NOTICE_AFTER_MS)
    // The seconds count down.
    if (state.name === 'waiting') {
      this.#ticking = setInterval(() => { if (!this.#parts.notice.hidden) tell() }, 250)
    }
  }

  /** The page could not even ask where the stream is. */
  unknown (error) {
    this.#parts.chip.dataset.state = 'waiting'
    this.#word('No answer')
    const title = 'The server does not answer'
    this.#notice({ title, why: `Trying again every few seconds. ${error.message}` }, {})
  }

  #live () {
    const isGood = this.#feed === 'ok'
    this.#parts.chip.dataset.state = isGood ? 'live' : 'stale'
    this.#word(isGood ? 'Live' : this.#feed === 'down' ? 'Feed ended' : 'Feed silent')
    this.#parts.desk.classList.remove('old')
    if (isGood) { this.#parts.notice.hidden = true; return }
    const title = this.#feed === 'down' ? 'A feed has ended' : 'A feed is silent'
    this.#notice({ title, why: 'The connection is good; new prices do not arrive.' }, {}, false)
  }

  #word (text) {
    // Written only when it changes: it is read aloud.
    if (this.#parts.word.textContent !== text) this.#parts.word.textContent = text
  }

  #notice ({ title, why }, state, isOld = true) {
    const { notice, desk, action } = this.#parts
    const since = isOld && this.#lastAt ? ` Prices are of ${clock(this.#lastAt)}.` : ''
    notice.dataset.grade = state.name === 'closed' ? 'bad' : 'warn'
    this.#parts.title.textContent = title
    this.#parts.why.textContent = why + since
    notice.hidden = false
    desk.classList.toggle('old', isOld)
    // A server that named a time is not to be pressed.
    action.hidden = !(state.name === 'closed' || (state.name === 'waiting' && !state.hinted))
    action.textContent = state.name === 'closed' ? 'Connect again' : 'Try now'
  }
}

function wordOf (state) {
  switch (state.name) {
    case 'stale': return 'Silent'
    case 'waiting': return state.code === 1013 ? 'Server full' : 'Reconnecting'
    case 'closed': return 'Closed'
    default: return state.attempt > 0 ? 'Reconnecting' : 'Connecting'
  }
}

function textOf (state, leftMs) {
  const seconds = Math.ceil(leftMs / 1000)
  const when = seconds > 0 ? `in ${seconds} s` : 'now'
  if (state.name === 'stale') {
    return { title: 'The connection is silent', why: 'Nothing came for some seconds.' }
  }
  if (state.name === 'closed') {
    const why = `Code ${state.code}${state.reason ? `: ${state.reason}` : ''}.`
    return { title: 'The server ended this connection', why }
  }
  if (state.name !== 'waiting') {
    return { title: 'Connecting', why: 'Waiting for the server.' }
  }
  if (state.code === 1013) {
    return { title: 'The server is full', why: `It asked to come back; trying again ${when}.` }
  }
  if (state.code === 1012) {
    const why = `Trying again ${when}; what was traded meanwhile is caught up.`
    return { title: 'The server is restarting', why }
  }
  return { title: 'The connection is lost', why: `Trying again ${when}.` }
}
