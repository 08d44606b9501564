// Node's `ws`. By default as its documentation broadcasts: a loop of `client.send`. With `--frames`
// as far as it can be driven: each frame is made once (`Sender.frame`), and the frames of a burst
// are joined once for all clients with the same symbols and written to their sockets.
import { createRequire } from "node:module";
import { messagesOf } from "./feed.mjs";

const installed = new URL("../../target/peers/node/node_modules/", import.meta.url);
const { WebSocketServer, Sender } = createRequire(installed)("ws");
const BACKLOG_BYTES_MAX = 1 << 20; // Of a client that does not read, as in Bun.

/** Clients by symbol; each message is sent by itself. */
class Topics {
  #clients = new Map();

  add(client, symbols) {
    for (const symbol of symbols) {
      if (!this.#clients.has(symbol)) this.#clients.set(symbol, new Set());
      this.#clients.get(symbol).add(client);
    }
    client.on("close", () => {
      for (const symbol of symbols) this.#clients.get(symbol).delete(client);
    });
  }

  publish(symbol, text) {
    const data = Buffer.from(text);
    for (const client of this.#clients.get(symbol) ?? []) {
      if (client.bufferedAmount > BACKLOG_BYTES_MAX) client.terminate();
      else client.send(data, { binary: false });
    }
  }
}

/** Groups of clients with the same symbols, and groups by symbol. */
class Groups {
  #byKey = new Map();
  #bySymbol = new Map();
  #touched = new Set();
  #isDue = false;

  add(client, symbols) {
    const key = [...symbols].sort().join();
    let group = this.#byKey.get(key);
    if (!group) {
      group = { clients: new Set(), frames: [] };
      this.#byKey.set(key, group);
      for (const symbol of symbols) {
        if (!this.#bySymbol.has(symbol)) this.#bySymbol.set(symbol, new Set());
        this.#bySymbol.get(symbol).add(group);
      }
    }
    group.clients.add(client);
    client.on("close", () => {
      group.clients.delete(client);
      if (group.clients.size > 0) return;
      this.#byKey.delete(key);
      for (const symbol of symbols) this.#bySymbol.get(symbol).delete(group);
    });
  }

  publish(symbol, text) {
    const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };
    const frame = Sender.frame(Buffer.from(text), options);
    for (const group of this.#bySymbol.get(symbol) ?? []) {
      group.frames.push(...frame);
      this.#touched.add(group);
    }
    // At the end of the turn: a long burst comes in several pieces.
    if (!this.#isDue) setImmediate(() => this.#flush());
    this.#isDue = true;
  }

  #flush() {
    this.#isDue = false;
    for (const group of this.#touched) {
      const bytes = Buffer.concat(group.frames);
      group.frames = [];
      for (const client of group.clients) {
        const socket = client._socket;
        if (socket.writableLength > BACKLOG_BYTES_MAX) client.terminate();
        else socket.write(bytes);
      }
    }
    this.#touched.clear();
  }
}

const audience = process.argv.includes("--frames") ? new Groups() : new Topics();
const settings = { host: "127.0.0.1", port: 0, backlog: 4096, perMessageDeflate: false };
const server = new WebSocketServer({ ...settings, clientTracking: false });
server.on("connection", (client, request) => {
  const query = new URL(request.url, "ws://localhost").searchParams;
  client.on("error", () => client.terminate());
  audience.add(client, new Set(query.get("symbols")?.split(",") ?? []));
});
server.on("listening", () => {
  console.log(`server ${process.pid}`);
  console.log(`stream ws://127.0.0.1:${server.address().port}/v1/stream`);
});

const take = messagesOf((symbol, text) => audience.publish(symbol, text));
process.stdin.setEncoding("utf8");
process.stdin.on("data", take);
process.stdin.on("end", () => process.exit(0));
