// Lines of the feed become the messages that clients get: each line's object with the number that
// it has among those of its symbol.

/** Gives a function that takes text in pieces and calls `each(symbol, message)`. */
export function messagesOf(each) {
  const numbers = new Map();
  let rest = "";
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const start = line.indexOf('"S":"') + 5;
      const symbol = line.slice(start, line.indexOf('"', start));
      const number = (numbers.get(symbol) ?? 0) + 1;
      numbers.set(symbol, number);
      each(symbol, `${line.slice(0, -1)},"sq":${number}}`);
    }
  };
}
