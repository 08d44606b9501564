// Making elements without markup in strings: what a server or a client names stays text.

/** `kind` is a tag with an optional class: `span.name`. */
export function make (kind, ...children) {
  const [tag, className] = kind.split('.')
  const element = document.createElement(tag)
  if (className) element.className = className
  element.append(...children.map(child => (child instanceof Node ? child : String(child))))
  return element
}

const SVG = 'http://www.w3.org/2000/svg'

/** The same for a drawing, with its attributes. */
export function draw (tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** A row of a table; the first cell is its head, `num` ones are right-aligned. */
export function tableRow (cells) {
  const row = make('tr')
  for (const [index, cell] of cells.entries()) {
    const isNumber = typeof cell === 'object' && 'num' in cell
    const tag = index === 0 ? 'th' : 'td'
    const element = make(isNumber ? `${tag}.num` : tag, isNumber ? cell.num : cell)
    if (index === 0) element.scope = 'row'
    row.append(element)
  }
  return row
}

export function emptyRow (columns, text) {
  const cell = make('td.none', text)
  cell.colSpan = columns
  return make('tr', cell)
}

export function badge (text, grade) {
  const element = make('span.badge', text)
  element.dataset.grade = grade
  return element
}
