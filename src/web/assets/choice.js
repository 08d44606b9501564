// Which symbols are on the board: the address of the page, and what was chosen here last.

const KEY = 'tapecast.symbols'
export const SYMBOLS_MAX = 50
/** Shown to who has chosen nothing yet, as far as the server has them. */
const FIRST = ['AAPL', 'MSFT', 'NVDA', 'AMZN', 'GOOGL', 'META', 'TSLA', 'JPM']

/** What the protocol takes for a symbol, without `*`: a board of everything is none. */
export const isSymbol = text => /^[!#-)+\-.-[\]-~]{1,32}$/.test(text)

export function symbolsOf (text) {
  const symbols = text.split(/[\s,]+/).filter(isSymbol)
  return [...new Set(symbols)].slice(0, SYMBOLS_MAX)
}

/** From the address `#AAPL,MSFT`; null where it says nothing. */
export function inAddress (hash = location.hash) {
  if (hash.length < 2) return null
  let text = hash.slice(1)
  try { text = decodeURIComponent(text) } catch { /* A stray % is part of a symbol. */ }
  return symbolsOf(text)
}

export function remembered () {
  try {
    const text = localStorage.getItem(KEY)
    return text === null ? null : symbolsOf(text)
  } catch { return null }
}

export function remember (symbols) {
  const hash = symbols.map(encodeURIComponent).join(',')
  history.replaceState(null, '', hash ? `#${hash}` : location.pathname + location.search)
  try { localStorage.setItem(KEY, symbols.join(',')) } catch { /* The address has it. */ }
}

/** A first board out of what the server has: the well-known ones, or otherwise any. */
export function firstOf (available) {
  const known = FIRST.filter(symbol => available.includes(symbol))
  return known.length > 0 ? known : available.slice(0, FIRST.length)
}
