// What the pages ask the admin port, and where the stream is.

export const ANSWER_MS_MAX = 4_000

/** An answer as JSON; throws where none comes in time, or another than a good one. */
export async function ask (path, signal) {
  const controller = new AbortController()
  const late = new Error(`no answer in ${ANSWER_MS_MAX / 1000} s`)
  const timer = setTimeout(() => controller.abort(late), ANSWER_MS_MAX)
  signal?.addEventListener('abort', () => controller.abort(signal.reason))
  try {
    const answer = await fetch(path, { signal: controller.signal, cache: 'no-store' })
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`)
    return await answer.json()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The stream has the port that it listens on and the name by which this page was found: what a
 * server binds to (0.0.0.0, an inner address) is seldom what a browser can reach.
 */
export function streamUrl ({ listen, path }, page = location) {
  const port = listen.slice(listen.lastIndexOf(':') + 1)
  return `${page.protocol === 'https:' ? 'wss:' : 'ws:'}//${page.hostname}:${port}${path}`
}
