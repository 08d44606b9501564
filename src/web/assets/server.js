// What the pages ask the admin port, and where the stream is.

export const ANSWER_MS_MAX = 4_000

/** An answer as JSON; throws where none comes in time, or another than a good one. */
export async function ask (path, signal) {
  const timeout = AbortSignal.timeout(ANSWER_MS_MAX)
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout
  const answer = await fetch(path, { signal: either, cache: 'no-store' })
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`)
  return answer.json()
}

/**
 * The stream has the port that it listens on and the name by which this page was found: what a
 * server binds to (0.0.0.0, an inner address) is seldom what a browser can reach.
 */
export function streamUrl ({ listen, path }, page = location) {
  const port = listen.slice(listen.lastIndexOf(':') + 1)
  return `${page.protocol === 'https:' ? 'wss:' : 'ws:'}//${page.hostname}:${port}${path}`
}
