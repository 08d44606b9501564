"""`tapecast top` in a pseudo terminal, seen through a terminal emulator.

Arguments: the server's address, the binary, the admin port's address, the server's process, which
is killed at last. Ends with 0 if all is as it should be.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

BINARY, ADMIN, SERVER = sys.argv[2], sys.argv[3], int(sys.argv[4])
PATIENCE_S = 30
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal with `top` in it; the program ends with this."""

    def __init__(self, columns=80, rows=24, **environment):
        self.main, self.side = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.side)
        kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen(
            [BINARY, "top", f"http://{ADMIN}/", "--every", "200"],
            stdin=self.side,
            stdout=self.side,
            stderr=subprocess.PIPE,
            env=kept | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.main)
        os.close(self.side)

    def resize(self, columns, rows):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, size)
        self.screen.resize(rows, columns)

    def type(self, keys):
        os.write(self.main, keys)

    def text(self):
        return "\n".join(self.screen.display)

    def read(self, time_s):
        if not select.select([self.main], [], [], time_s)[0]:
            return False
        part = os.read(self.main, 65536)
        self.output += part
        self.stream.feed(part)
        return True

    def wait_for(self, what, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come\n{self.text()}"
            assert self.process.poll() is None, f"it ended: {self.process.stderr.read()}"
            self.read(0.1)

    def wait_for_text(self, *words):
        self.wait_for(words, lambda: all(word in self.text() for word in words))

    def expect_end(self):
        """It ends with 0, and the terminal is as it was before."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end\n{self.text()}"
            self.read(0.1)
        while self.read(0):
            pass
        assert self.process.returncode == 0, self.process.stderr.read()
        assert termios.tcgetattr(self.side) == self.before, "its modes"
        assert self.output.count(ALTERNATE_ON) == self.output.count(ALTERNATE_OFF) == 1
        shown, hidden = self.output.rfind(b"\x1b[?25h"), self.output.rfind(b"\x1b[?25l")
        assert shown > hidden, "the cursor is hidden"

    def colours(self):
        rows = self.screen.buffer.values()
        return {cell.fg for row in rows for cell in row.values()} - {"default"}


def looks_and_quits():
    with Terminal() as top:
        top.wait_for_text("tapecast 0.1.0", "serving", "0 on ", "nobody lags", "q quit")
        assert termios.tcgetattr(top.side) != top.before, "raw, so that keys come at once"
        assert top.colours(), "NO_COLOR is not set"
        top.type(b"?")
        top.wait_for_text("Any key closes this.")
        top.type(b"x")
        top.wait_for("the page", lambda: "Any key closes" not in top.text())
        top.type(b"p")
        top.wait_for_text("PAUSED", "p go on")
        top.type(b"p")
        top.wait_for_text("p pause")
        top.resize(120, 40)
        os.killpg(top.process.pid, signal.SIGWINCH)
        top.wait_for("the keys in the new last row", lambda: "q quit" in top.screen.display[39])
        top.resize(50, 8)
        os.killpg(top.process.pid, signal.SIGWINCH)
        top.wait_for("a small page", lambda: "q quit" in top.screen.display[7])
        top.type(b"q")
        top.expect_end()


def other_ways_to_end():
    for keys in (b"\x1b", b"\x03"):
        with Terminal(NO_COLOR="1") as top:
            top.wait_for_text("nobody lags")
            assert not top.colours(), top.colours()
            top.type(keys)
            top.expect_end()
    with Terminal() as top:
        top.wait_for_text("nobody lags")
        top.process.send_signal(signal.SIGTERM)
        top.expect_end()


def loses_its_server_and_finds_another():
    with Terminal() as top:
        top.wait_for_text("nobody lags")
        os.kill(SERVER, signal.SIGKILL)
        top.wait_for_text("NO ANSWER for", "nothing listens at", "old.")
        assert "tapecast 0.1.0" in top.text(), "the last numbers stay"
        counted = re.compile(r"NO ANSWER for [1-9]\d*s")
        top.wait_for("the seconds, counted", lambda: counted.search(top.text()))
        serve = [BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", ADMIN, "--shards", "1"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        server = subprocess.Popen(serve, stderr=subprocess.DEVNULL, **quiet)
        try:
            top.wait_for("the next server", lambda: "NO ANSWER" not in top.text())
            top.wait_for_text("tapecast 0.1.0", "serving", "nobody lags")
        finally:
            server.kill()
            server.wait()
        top.type(b"q")
        top.expect_end()


looks_and_quits()
other_ways_to_end()
loses_its_server_and_finds_another()
