// Bun's WebSocket server (uWebSockets inside), by its own publish: a topic for each symbol, and no
// compression. uWebSockets gathers what is published in one turn of its loop, and writes to each
// client at the turn's end, or before where some 32 messages have gathered: 50 are two writes.
import { messagesOf } from "./feed.mjs";

const server = Bun.serve<{ symbols: string[] }>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const symbols = new URL(request.url).searchParams.get("symbols")?.split(",") ?? [];
    if (server.upgrade(request, { data: { symbols } })) return;
    return new Response("a WebSocket endpoint", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    closeOnBackpressureLimit: true,
    open(socket) {
      for (const symbol of socket.data.symbols) socket.subscribe(symbol);
      // Bun knows them now; kept here they would count as its memory of an idle client.
      socket.data.symbols = [];
    },
    message() {},
  },
});
console.log(`server ${process.pid}`);
console.log(`stream ws://127.0.0.1:${server.port}/v1/stream`);

const take = messagesOf((symbol, text) => server.publish(symbol, text));
const decoder = new TextDecoder();
for await (const chunk of Bun.stdin.stream()) take(decoder.decode(chunk, { stream: true }));
process.exit(0);
