// @ts-check
// How a typed program uses the client. Never run: `tsc` reads it, and each line that says so must
// be an error, or the types of tapecast.js have become loose.

import { Tapecast } from '../../src/web/tapecast.js'

const stream = new Tapecast('ws://127.0.0.1:9001/v1/stream', { maxHz: 4 })
const cancel = stream.subscribe(['AAPL'], {
  trade: trade => { trade.p.toFixed(2); trade.S.toLowerCase() },
  quote: quote => { quote.bp.toFixed(2) },
  bar: bar => { bar.vw.toFixed(2) },
  gap: gap => { gap.from?.toFixed(0) }
})
cancel()
stream.on('state', state => {
  if (state.name === 'waiting') state.retryMs.toFixed(0)
  // @ts-expect-error: only who waits has it
  state.retryMs.toFixed(0)
})
// @ts-expect-error: no such event
stream.on('nothing', () => {})
// @ts-expect-error: a quote has no price of its own
stream.subscribe('AAPL', { quote: quote => quote.p })
// @ts-expect-error: a count
new Tapecast('ws://127.0.0.1:9001/v1/stream', { maxHz: 'often' }).close()
