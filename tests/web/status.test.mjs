// The status page in Debian's chromium, with a real server behind it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  atEnd, keepsNobodyOut, occupy, openBrowser, openPage, overflow, PHONE, Server, until, WebSocket
} from './harness.mjs'

const FEED = '--feed synthetic:symbols=20,rate=2000'

async function open (server, viewport) {
  const { browser, close } = await openBrowser()
  atEnd(close)
  const { page, problems } = await openPage(browser, `${server.admin}status`, viewport)
  const word = () => page.locator('#state-name').textContent()
  const tile = name => page.locator('#tiles div', { hasText: name }).locator('dd').first()
  await page.locator('#shards li').first().waitFor()
  return { page, problems, word, tile }
}

test('it shows what the server counts, as it changes', async () => {
  const server = await Server.start(`${FEED} --max-sessions 20`)
  const { page, problems, word, tile } = await open(server)
  await until('serving', async () => await word() === 'Serving')
  const sessions = page.getByRole('meter', { name: 'Sessions' })
  assert.equal(await sessions.getAttribute('aria-valuetext'), '0 of 20')
  const leave = await occupy(`${server.stream}?symbols=AAPL`, 15)
  await until('15 sessions', async () => await tile('Sessions').textContent() === '15')
  assert.equal(await sessions.getAttribute('aria-valuetext'), '15 of 20')
  await page.locator('.meter[data-level="70"]', { hasText: 'Sessions' }).waitFor()
  for (const name of ['Half-open', 'Descriptors', 'Inlet', 'Memory']) {
    await page.getByRole('meter', { name }).waitFor()
  }
  for (const name of ['Ticks in a second', 'Items out a second']) {
    await until(name, async () => /^[1-9]/.test(await tile(name).textContent()))
  }
  const feed = page.locator('#feeds tr').first()
  await until('a live feed', async () => /synthetic.*live/.test(await feed.textContent()))
  await until('two points of the latency', () => page.locator('#latency path.p99').count())
  await page.getByText('Nobody is behind.').waitFor()
  leave()
  await until('0 sessions', async () => await tile('Sessions').textContent() === '0')
  assert.deepEqual(problems, [])
  await server.stop()
})

test('refusals are counted by their reason', async () => {
  const server = await Server.start(`${FEED} --max-sessions 1`)
  const { page } = await open(server)
  await occupy(server.stream, 1)
  await assert.rejects(occupy(server.stream, 1), /closed with 1013/)
  const first = page.locator('#refused li:not(.none)').first()
  await first.waitFor()
  assert.match(await first.textContent(), /\D1$/)
  await server.kill()
})

/** Method: a client that does not read, so that its socket takes nothing more. */
test('who does not keep up is in the table', async () => {
  const server = await Server.start(
    '--feed synthetic:symbols=20,rate=20000 --write-stall-ms 600000 --user-timeout-ms 600000')
  const { page, tile } = await open(server)
  await page.getByText('Nobody is behind.').waitFor()
  const stuck = new WebSocket(`${server.stream}?symbols=*`)
  atEnd(() => stuck.terminate())
  await new Promise(resolve => stuck.once('message', resolve))
  stuck.pause()
  const row = page.locator('#lagging tr', { hasText: '127.0.0.1' })
  await row.waitFor()
  await until('its state', async () => /lagging/.test(await row.textContent()))
  await until('what it has not been sent', async () => /[1-9].*iB/.test(await row.textContent()))
  await until('the count', async () => await tile('Lagging').textContent() === '1')
  stuck.terminate()
  await page.getByText('Nobody is behind.').waitFor()
  await server.stop()
})

test('a server that does not answer is told, with the age of what is shown', async () => {
  const server = await Server.start(FEED)
  const { page, word } = await open(server)
  await until('serving', async () => await word() === 'Serving')
  server.signal('SIGSTOP')
  await until('no answer', async () => await word() === 'No answer')
  const notice = page.locator('#notice')
  assert.match(await notice.textContent(), /does not answer.*Below is what it said at \d\d:/)
  assert.equal(await page.locator('#desk.old').count(), 1)
  server.signal('SIGCONT')
  await until('serving', async () => await word() === 'Serving')
  assert.ok(await notice.isHidden())
  await server.stop()
  await until('no answer', async () => await word() === 'No answer')
})

test('it fits a phone, and keeps nobody out in either theme', async () => {
  const server = await Server.start(FEED)
  const { page } = await open(server, PHONE)
  assert.ok(await overflow(page) <= 0)
  await keepsNobodyOut(page)
  await server.stop()
})
