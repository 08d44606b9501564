// The ticker page in Debian's chromium, with a real server behind it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  atEnd, barriers, Cable, keepsNobodyOut, occupy, openBrowser, openPage, overflow, PHONE, Server,
  until
} from './harness.mjs'

const FEED = '--feed synthetic:symbols=20,rate=2000'
/** A page that a test has changed comes from nowhere, and may not go to a local address. */
const CHANGED_PAGES = '--disable-features=LocalNetworkAccessChecks'

async function open (server, { hash = '#AAPL,MSFT', viewport, cable } = {}) {
  const { browser, close } = await openBrowser(...cable ? [CHANGED_PAGES] : [])
  atEnd(close)
  if (cable) await lead(browser, server, cable)
  const { page, problems } = await openPage(browser, server.admin + hash, viewport)
  const cell = (symbol, name) => page.locator(`tr[data-symbol="${symbol}"] .${name}`)
  const text = locator => locator.textContent()
  const word = () => text(page.locator('#connection-name'))
  const rows = page.locator('#rows tr')
  const symbols = () => rows.evaluateAll(all => all.map(row => row.dataset.symbol))
  return { browser, page, problems, cell, text, word, symbols }
}

/** Has the page find the stream behind a cable, and allows it to go there. */
async function lead (browser, server, cable) {
  const { port } = new URL(cable.url)
  await browser.route(url => url.pathname === '/', async route => {
    const response = await route.fetch()
    const headers = response.headers()
    const policy = 'content-security-policy'
    headers[policy] = headers[policy].replaceAll(`:${server.ports.stream}`, `:${port}`)
    await route.fulfill({ response, headers })
  })
  await browser.route(url => url.pathname === '/api/status', async route => {
    const response = await route.fetch()
    const status = await response.json()
    status.stream.listen = `127.0.0.1:${port}`
    await route.fulfill({ response, json: status })
  })
}

/** The price changes so many times; a page in a phone's size shows the same. */
async function moves ({ cell, text }, symbol, times = 3) {
  const seen = new Set()
  await until(`${times} prices of ${symbol}`, async () => {
    const price = await text(cell(symbol, 'value'))
    if (/^[\d,]+\.\d{2,}$/.test(price)) seen.add(price)
    return seen.size > times
  })
}

test('prices move, and so does everything that comes of them', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server)
  await moves(desk, 'AAPL')
  await moves(desk, 'MSFT')
  const { page, cell, text } = desk
  assert.equal(await desk.word(), 'Live')
  for (const name of ['bid b', 'ask b', 'change .percent', 'volume', 'time']) {
    await until(name, async () => /\d/.test(await text(cell('AAPL', name))))
  }
  await until('a line', () => cell('AAPL', 'spark-line').getAttribute('d'))
  await until('prints', async () => await page.locator('#prints li').count() > 5)
  await until('a latency', async () => /ms|µs/.test(await text(page.locator('#latency'))))
  assert.ok(await page.locator('#notice').isHidden())
  assert.deepEqual(desk.problems, [])
  await server.stop()
})

test('it survives a restart and catches up', async () => {
  const first = await Server.start(FEED)
  const desk = await open(first)
  await moves(desk, 'AAPL')
  await first.stop()
  await until('the loss', async () => await desk.word() === 'Reconnecting')
  const notice = desk.page.locator('#notice')
  await until('a notice', () => notice.isVisible())
  assert.match(await desk.text(notice), /restarting|Connecting/)
  const second = await Server.start(FEED, first.ports)
  await until('live', async () => await desk.word() === 'Live')
  await moves(desk, 'AAPL')
  await until('no notice', () => notice.isHidden())
  assert.deepEqual(desk.problems, [])
  await second.stop()
})

/** Method: what comes is read from the wire, and the page counts the gaps that it shows. */
test('a connection that is cut under the page costs no trade', async () => {
  const server = await Server.start(FEED)
  const cable = await Cable.to(server.stream)
  const desk = await open(server, { cable, hash: '#AAPL' })
  const { page } = desk
  // Left before its messages are noted: a trade of this connection would leave a hole.
  await page.goto('about:blank')
  const trades = []
  page.on('websocket', socket => socket.on('framereceived', ({ payload }) => {
    trades.push(...JSON.parse(payload).filter(event => event.T === 't').map(trade => trade.sq))
  }))
  await page.goto(`${server.admin}#AAPL`)
  await page.evaluate(() => {
    globalThis.gaps = 0
    const count = records => {
      const added = records.flatMap(record => [...record.addedNodes])
      globalThis.gaps += added.filter(node => node.classList.contains('gap')).length
    }
    new MutationObserver(count).observe(document.getElementById('prints'), { childList: true })
    // Noted as it happens, since it may be over before anybody looks.
    globalThis.losses = 0
    const connection = document.getElementById('connection')
    new MutationObserver(() => { globalThis.losses += connection.dataset.state !== 'live' })
      .observe(connection, { attributes: true })
  })
  for (let cuts = 0; cuts < 2; cuts++) {
    const seen = trades.length
    await until('trades', async () => await desk.word() === 'Live' && trades.length > seen + 10)
    const losses = await page.evaluate(() => globalThis.losses)
    cable.cut()
    await until('the loss', async () => await page.evaluate(() => globalThis.losses) > losses)
  }
  const seen = trades.length
  await until('the last trades', async () => (
    await desk.word() === 'Live' && trades.length > seen + 10))
  assert.deepEqual(trades, trades.map((_, i) => trades[0] + i))
  assert.equal(await page.evaluate(() => globalThis.gaps), 0)
  assert.deepEqual(desk.problems, [])
  await server.stop()
})

test('a board that is full says so', async () => {
  const server = await Server.start(FEED)
  const names = Array.from({ length: 50 }, (_, i) => `X${i + 1}`)
  const desk = await open(server, { hash: `#${names.join(',')}` })
  const { page } = desk
  await until('all of them', async () => (await desk.symbols()).length === 50)
  await page.keyboard.press('/')
  await page.keyboard.type('LAST')
  await page.keyboard.press('Enter')
  await page.getByText('No room for LAST: the board takes 50').waitFor()
  assert.equal((await desk.symbols()).length, 50)
  await page.getByRole('button', { name: 'Remove X7' }).click()
  await page.keyboard.press('/')
  await page.keyboard.type('LAST')
  await page.keyboard.press('Enter')
  await until('the last', async () => (await desk.symbols()).at(-1) === 'LAST')
  assert.deepEqual(desk.problems, [])
  await server.stop()
})

test('a search that was left asks no more', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server)
  const { page } = desk
  await moves(desk, 'AAPL', 1)
  // Never answered.
  await page.route('**/api/symbols?search=*', () => {})
  const asked = page.waitForRequest('**/api/symbols?search=*')
  await page.keyboard.press('/')
  await page.keyboard.type('nvd')
  const request = await asked
  const ended = page.waitForEvent('requestfailed', one => one === request)
  await page.keyboard.press('Escape')
  await ended
  assert.ok(await page.locator('#search-list').isHidden())
  await server.stop()
})

test('a refusal with 1013 is told, not pressed, and ends by itself', async () => {
  const server = await Server.start(`${FEED} --max-sessions 1`)
  const leave = await occupy(server.stream, 1)
  const desk = await open(server)
  await until('the refusal', async () => await desk.word() === 'Server full')
  await until('a notice', async () => (
    /The server is full.*trying again/.test(await desk.text(desk.page.locator('#notice')))))
  assert.ok(await desk.page.locator('#notice-action').isHidden())
  assert.equal(await desk.text(desk.cell('AAPL', 'value')), '—')
  leave()
  await until('live', async () => await desk.word() === 'Live')
  await moves(desk, 'AAPL')
  await server.stop()
})

test('a connection that broke can be tried by hand, and its prices are marked as old', async () => {
  const first = await Server.start(FEED)
  const desk = await open(first)
  await moves(desk, 'AAPL')
  await first.kill()
  const action = desk.page.locator('#notice-action')
  // Among the waits, which become longer, one is long enough to be seen.
  await until('the offer to try', () => action.isVisible())
  await until('prices dimmed', () => desk.page.locator('#desk.old').count())
  const second = await Server.start(FEED, first.ports)
  if (await action.isVisible()) await action.click({ timeout: 1_000 }).catch(() => {})
  await until('live', async () => await desk.word() === 'Live')
  await second.stop()
})

test('the keyboard is enough', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server)
  const { page } = desk
  await moves(desk, 'AAPL', 1)
  await page.keyboard.press('/')
  await page.keyboard.type('nvd')
  await page.locator('[role="option"]').first().waitFor()
  assert.equal(await page.locator('#search-input').getAttribute('aria-expanded'), 'true')
  const active = await page.locator('#search-input').getAttribute('aria-activedescendant')
  assert.equal(await desk.text(page.locator(`#${active}`)), 'NVDA')
  await page.keyboard.press('Enter')
  assert.deepEqual(await desk.symbols(), ['AAPL', 'MSFT', 'NVDA'])
  const focused = () => page.evaluate(() => document.activeElement.textContent)
  assert.equal(await focused(), 'NVDA')
  assert.ok(page.url().endsWith('#AAPL,MSFT,NVDA'), page.url())
  await page.keyboard.press('ArrowUp')
  assert.equal(await focused(), 'MSFT')
  await page.keyboard.press('Enter')
  assert.equal(await desk.cell('MSFT', 'name').getAttribute('aria-pressed'), 'true')
  await until('the trades of one', async () => {
    const of = await page.locator('#prints b').allTextContents()
    return of.length > 2 && of.every(symbol => symbol === 'MSFT')
  })
  await page.keyboard.press('Delete')
  assert.deepEqual(await desk.symbols(), ['AAPL', 'NVDA'])
  assert.equal(await focused(), 'NVDA')
  await page.keyboard.press('/')
  await page.keyboard.type('TEST.A,TEST.B')
  await page.keyboard.press('Enter')
  assert.deepEqual(await desk.symbols(), ['AAPL', 'NVDA', 'TEST.A', 'TEST.B'])
  await moves(desk, 'NVDA')
  await page.goto('about:blank')
  await page.goto(server.admin)
  await until('what was chosen', async () => (await desk.symbols()).length === 4)
  assert.deepEqual(desk.problems, [])
  await server.stop()
})

test('an empty board offers a beginning, and an unknown symbol stays quiet', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server, { hash: '#NOSUCH' })
  const { page } = desk
  await page.locator('tr.silent[data-symbol="NOSUCH"]').waitFor()
  await page.getByRole('button', { name: 'Remove NOSUCH' }).click()
  await page.getByText('Nothing on the board yet').waitFor()
  assert.deepEqual(await barriers(page), [])
  await page.getByRole('button', { name: 'AAPL' }).click()
  await moves(desk, 'AAPL')
  assert.ok(await page.locator('#empty').isHidden())
  await server.stop()
})

test('it fits a phone, and keeps nobody out in either theme', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server, { viewport: PHONE, hash: '#AAPL,MSFT,TEST.A' })
  const { page } = desk
  await moves(desk, 'AAPL', 1)
  assert.ok(await overflow(page) <= 0)
  assert.ok(await desk.cell('AAPL', 'value').isVisible())
  await keepsNobodyOut(page)
  await server.stop()
})

test('the theme follows the system until it is chosen, and movement is spared', async () => {
  const server = await Server.start(FEED)
  const desk = await open(server)
  const { page } = desk
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme)
  await page.emulateMedia({ colorScheme: 'light' })
  await until('light', async () => await theme() === 'light')
  await page.emulateMedia({ colorScheme: 'dark' })
  await until('dark', async () => await theme() === 'dark')
  await page.getByRole('button', { name: /dark and light/ }).click()
  assert.equal(await theme(), 'light')
  await page.reload()
  assert.equal(await theme(), 'light')
  const flashes = () => page.evaluate(() => document.getAnimations().length)
  await until('a flash', flashes)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await until('stillness', async () => await flashes() === 0)
  await moves(desk, 'AAPL')
  assert.equal(await flashes(), 0)
  await server.stop()
})
