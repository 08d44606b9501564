// How numbers and times are written on the pages.

const formats = new Map()

/** Grouped, with a fixed number of decimals, in the reader's own manner. */
export function fixed (value, decimals) {
  let format = formats.get(decimals)
  if (!format) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
    format = new Intl.NumberFormat(undefined, digits)
    formats.set(decimals, format)
  }
  return format.format(value)
}

export const whole = value => fixed(value, 0)

/** 1,234; 12.3 k; 4.56 M: three digits where there are many. */
export function short (value) {
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]]) {
    if (Math.abs(value) < size * (unit === 'k' ? 10 : 1)) continue
    const scaled = value / size
    return `${fixed(scaled, scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${unit}`
  }
  return whole(value)
}

export function signed (value, decimals) {
  const text = fixed(Math.abs(value), decimals)
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${text}`
}

/** Decimals that a feed's price has; JSON keeps no zeros at the end. */
export function decimalsOf (price) {
  const text = String(price)
  const point = text.indexOf('.')
  return point < 0 ? 0 : Math.min(text.length - point - 1, 6)
}

/** Local time of day, to the second or to the millisecond. */
export function clock (ms, hasMillis = false) {
  const date = new Date(ms)
  const two = part => String(part).padStart(2, '0')
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return hasMillis ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time
}

/** A span of time, in the unit that says it shortest. */
export function span (ms) {
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))} µs`
  if (ms < 10) return `${fixed(ms, 1)} ms`
  if (ms < 1000) return `${whole(ms)} ms`
  if (ms < 10_000) return `${fixed(ms / 1000, 1)} s`
  if (ms < 120_000) return `${whole(ms / 1000)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export function bytes (count) {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]) {
    if (count >= size) return `${fixed(count / size, count < 10 * size ? 1 : 0)} ${unit}`
  }
  return `${whole(count)} B`
}
