// What the scripts share: a server process, a way to cut connections, waiting with a deadline,
// and the browser.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach } from 'node:test'

export const PATIENCE_MS = 40_000
export const PHONE = { width: 360, height: 740 }
const DESK = { width: 1360, height: 820 }
// The packages lie where tests/run has put them, not beside this file.
export const installed = createRequire(process.env.TAPECAST_NODE + '/')
export const WebSocket = installed('ws')

const children = new Set()
const killAll = () => { for (const child of children) child.kill('SIGKILL') }
process.on('exit', killAll)
const endings = []
/** Calls this when the test is over, also where it fails. */
export const atEnd = ending => { endings.push(ending) }
afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
  killAll()
})
// The test that started us has ended, whatever the reason.
process.stdin.on('end', () => process.exit(1)).resume().unref()

/** Waits until `condition` gives something that is not false. */
export async function until (what, condition) {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const given = await condition()
    if (given) return given
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS} ms`)
    await new Promise(resolve => setTimeout(resolve, 15))
  }
}

/** A `tapecast serve` process. */
export class Server {
  /** On free ports, or on those of a server that was here before. */
  static async start (flags = '', ports = { stream: 0, admin: 0 }) {
    const server = new Server()
    const words = flags.split(' ').filter(word => word)
    const listen = ['--listen', `127.0.0.1:${ports.stream}`, '--admin', `127.0.0.1:${ports.admin}`]
    const all = ['serve', ...listen, '--shards', '1', '--drain-seconds', '1', ...words]
    const child = spawn(process.env.TAPECAST_BINARY, all, { stdio: ['pipe', 'pipe', 'pipe'] })
    children.add(child)
    server.child = child
    server.log = ''
    child.stderr.on('data', text => { server.log += text })
    server.ended = new Promise(resolve => child.on('exit', code => {
      children.delete(child)
      resolve(code)
    }))
    for await (const line of createInterface({ input: child.stdout })) {
      const [, name, url] = /^\s+(stream|admin)\s+(\S+)/.exec(line) ?? []
      if (name) server[name] = url
      if (server.stream && server.admin) break
    }
    assert.ok(server.stream && server.admin, `no addresses were printed: ${server.log}`)
    child.stdout.resume()
    server.ports = { stream: new URL(server.stream).port, admin: new URL(server.admin).port }
    return server
  }

  signal (name) { this.child.kill(name) }

  /** As an operator does; must succeed, and nothing may have panicked. */
  async stop () {
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    assert.equal(await this.ended, 0, this.log)
    assert.ok(!this.log.includes('panicked'), this.log)
  }

  async kill () {
    this.signal('SIGKILL')
    await this.ended
  }
}

/** Stands between a client and a server, and cuts what passes through it. */
export class Cable {
  #sockets = new Set()

  static async to (url) {
    const cable = new Cable()
    const { hostname, port } = new URL(url)
    cable.server = net.createServer(near => {
      const far = net.connect(port, hostname)
      for (const socket of [near, far]) {
        cable.#sockets.add(socket)
        socket.on('error', () => {}).on('close', () => { near.destroy(); far.destroy() })
      }
      near.pipe(far).pipe(near)
    })
    await new Promise(resolve => cable.server.listen(0, '127.0.0.1', resolve))
    const { port: own } = cable.server.address()
    cable.url = url.replace(`:${port}`, `:${own}`)
    atEnd(() => cable.close())
    return cable
  }

  cut () {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  close () {
    this.cut()
    this.server.close()
  }
}

/** Sessions that take up room: opened one after the other; gives what closes them together. */
export async function occupy (url, count) {
  const sockets = []
  for (let i = 0; i < count; i++) {
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.once('message', resolve).once('error', reject)
      socket.once('close', code => reject(new Error(`closed with ${code}`)))
    })
    sockets.push(socket)
  }
  const leave = () => { for (const socket of sockets) socket.terminate() }
  atEnd(leave)
  return leave
}

/** Debian's chromium with a profile of its own, which is gone afterwards, and more flags. */
export async function openBrowser (...flags) {
  const { chromium } = installed('playwright-core')
  const profile = mkdtempSync(join(tmpdir(), 'tapecast-browser-'))
  const quiet = ['quic', 'background-networking', 'component-update', 'sync', 'gpu']
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--no-first-run', ...quiet.map(s => `--disable-${s}`),
      ...flags]
  })
  browser.setDefaultTimeout(PATIENCE_MS)
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  // Also where this script is ended from outside.
  process.once('exit', remove)
  const close = async () => {
    await browser.close()
    process.off('exit', remove)
    remove()
  }
  return { browser, close }
}

/** A page that fails the test where a script fails or the policy forbids something. */
export async function openPage (browser, url, viewport = DESK) {
  const page = await browser.newPage()
  const problems = []
  page.on('pageerror', error => problems.push(error.message))
  page.on('console', message => {
    if (/Content Security Policy/.test(message.text())) problems.push(message.text())
  })
  await page.setViewportSize(viewport)
  await page.goto(url)
  return { page, problems }
}

/** What axe-core finds that keeps people out. */
export async function barriers (page) {
  const source = installed('fs').readFileSync(installed.resolve('axe-core/axe.min.js'), 'utf8')
  // Evaluated by the debugger, which the page's policy does not forbid.
  await page.evaluate(source)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
  return grave.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.target).join(' | ')}`)
}

/** In both themes, on a phone and on a desk: axe finds nothing, and nothing sticks out. */
export async function keepsNobodyOut (page) {
  for (const theme of ['dark', 'light']) {
    await page.evaluate(to => { document.documentElement.dataset.theme = to }, theme)
    for (const size of [PHONE, DESK]) {
      await page.setViewportSize(size)
      assert.deepEqual(await barriers(page), [], `${theme}, ${size.width} px`)
      assert.ok(await overflow(page) <= 0, `${theme}, ${size.width} px`)
    }
  }
}

/** Pixels by which the page is wider than its window. */
export const overflow = page => page.evaluate(() => (
  document.documentElement.scrollWidth - document.documentElement.clientWidth))
