// The search over symbols: a combobox with a list, after the pattern of the ARIA practices guide.

import { isSymbol, symbolsOf } from './choice.js'
import { make } from './elements.js'
import { ask } from './server.js'

const PAUSE_MS = 120
const FOUND_MAX = 50

export class Search {
  #input
  #list
  #calls
  #found = []
  #active = -1
  #timer
  #asking

  /**
   * `calls`: `choose(symbols)` for what was picked, which gives a sentence where that cannot be;
   * `has(symbol)` for what is on the board.
   */
  constructor (input, list, calls) {
    this.#input = input
    this.#list = list
    this.#calls = calls
    input.addEventListener('input', () => this.#later())
    input.addEventListener('focus', () => this.#later())
    input.addEventListener('blur', () => this.#close())
    input.addEventListener('keydown', event => this.#key(event))
    // Before the input loses its focus to the click, and the list is gone.
    list.addEventListener('pointerdown', event => event.preventDefault())
    list.addEventListener('click', event => {
      const option = event.target.closest('[role="option"]')
      if (option) this.#choose([option.dataset.symbol])
    })
    document.addEventListener('keydown', event => {
      const isTyping = event.target.closest?.('input, textarea, select')
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      input.focus()
    })
  }

  #later () {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), PAUSE_MS)
  }

  async #look () {
    this.#asking?.abort()
    const text = this.#input.value.trim()
    if (text === '' || text.includes(',')) return this.#close()
    this.#asking = new AbortController()
    const { signal } = this.#asking
    try {
      const query = `search=${encodeURIComponent(text)}&limit=${FOUND_MAX}`
      const { symbols, total } = await ask(`/api/symbols?${query}`, signal)
      this.#show(symbols, total)
    } catch {
      // What was typed can be added all the same, so a list that does not come stops nobody.
      if (!signal.aborted) this.#close()
    }
  }

  #show (symbols, total) {
    if (document.activeElement !== this.#input) return
    this.#found = symbols
    this.#active = symbols.length > 0 ? 0 : -1
    const options = symbols.map((symbol, index) => this.#option(symbol, index))
    if (symbols.length === 0) options.push(note('No such symbol yet; Enter adds it'))
    if (total > symbols.length) options.push(note(`and ${total - symbols.length} more`))
    this.#open(...options)
    this.#mark()
  }

  #option (symbol, index) {
    const option = make('li', symbol)
    option.id = `search-option-${index}`
    option.dataset.symbol = symbol
    option.setAttribute('role', 'option')
    if (this.#calls.has(symbol)) option.append(make('small', 'on the board'))
    return option
  }

  #mark () {
    for (const [index, option] of [...this.#list.querySelectorAll('[data-symbol]')].entries()) {
      option.setAttribute('aria-selected', String(index === this.#active))
      if (index === this.#active) option.scrollIntoView({ block: 'nearest' })
    }
    if (this.#active < 0) this.#input.removeAttribute('aria-activedescendant')
    else this.#input.setAttribute('aria-activedescendant', `search-option-${this.#active}`)
  }

  #key (event) {
    const count = this.#found.length
    if (event.key === 'Enter') this.#enter()
    else if (event.key === 'Escape') this.#escape()
    else if (event.key === 'ArrowDown' && count) this.#active = (this.#active + 1) % count
    else if (event.key === 'ArrowUp' && count) this.#active = (this.#active - 1 + count) % count
    else return
    event.preventDefault()
    if (event.key.startsWith('Arrow')) this.#mark()
  }

  /** The marked one; otherwise what was typed, since a feed may bring it later. */
  #enter () {
    const text = this.#input.value.trim()
    const isFresh = this.#found[this.#active]?.toLowerCase().includes(text.toLowerCase())
    if (isFresh) this.#choose([this.#found[this.#active]])
    else if (text.includes(',') || isSymbol(text)) this.#choose(symbolsOf(text))
  }

  #choose (symbols) {
    this.#input.value = ''
    this.#close()
    const refusal = this.#calls.choose(symbols)
    if (refusal) this.#open(note(refusal))
  }

  #open (...items) {
    this.#list.replaceChildren(...items)
    this.#list.hidden = false
    this.#input.setAttribute('aria-expanded', 'true')
  }

  #escape () {
    if (this.#list.hidden) this.#input.value = ''
    this.#close()
  }

  #close () {
    clearTimeout(this.#timer)
    // Its answer would open the list again.
    this.#asking?.abort()
    this.#found = []
    this.#active = -1
    this.#list.hidden = true
    this.#list.replaceChildren()
    this.#input.setAttribute('aria-expanded', 'false')
    this.#input.removeAttribute('aria-activedescendant')
  }
}

function note (text) {
  const item = make('li.none', text)
  item.setAttribute('role', 'presentation')
  return item
}
