"""A terminal of 80 columns that commands are typed into, and what a person reads in it. Judges exit statuses only."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

COLUMNS, ROWS = 80, 40
COMMAND_S = 600.0
_TOKENS = re.compile(rb"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|([\r\n])|([^\x1b\r\n]+)")


class FirstHourError(AssertionError):
    """A command did not end as it should."""


def read_screen(printed: bytes) -> list[str]:
    """The lines that are left to read: what a progress bar drew and wiped away is gone."""
    lines, row, column = [""], 0, 0
    for parameters, letter, control, text in _TOKENS.findall(printed):
        if control == b"\r":
            column = 0
        elif control == b"\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif letter == b"A":
            row = max(0, row - int(parameters or b"1"))
        elif letter == b"K":
            lines[row] = "" if parameters == b"2" else lines[row][:column]
        elif text:
            words = text.decode(errors="replace")
            lines[row] = lines[row][:column].ljust(column) + words + lines[row][column + len(words) :]
            column += len(words)
    return [line.rstrip() for line in lines]


class Running:
    """A command in another terminal, until it is ended."""

    def __init__(self, process: subprocess.Popen, leader: int) -> None:
        self._process = process
        self._printed: list[bytes] = []
        self._reader = threading.Thread(target=self._read, args=(leader,), daemon=True)
        self._reader.start()

    def _read(self, leader: int) -> None:
        for chunk in _chunks(leader):
            self._printed.append(chunk)

    def kill(self) -> None:
        """As `kill -9` of all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)

    def end(self) -> int:
        """As Ctrl-C; the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def lines(self) -> list[str]:
        """All that can be read there."""
        return read_screen(b"".join(self._printed))


class Terminal:
    """Types commands in one folder and prints them with what they print.

    Args:
        folder: Where.
        environ: The whole environment of the commands.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = dict(environ)

    def type(self, command: str, *, status: int = 0, show: bool = True) -> str:
        """Run a command to its end; give what can be read then.

        Raises:
            FirstHourError: It ended with another status.
        """
        leader, follower = self._pty()
        process = self._start(command, follower)
        os.close(follower)
        bound = threading.Timer(COMMAND_S, os.killpg, (process.pid, signal.SIGKILL))
        bound.start()
        text = "\n".join(read_screen(b"".join(_chunks(leader)))).strip("\n")
        ended = process.wait(20)
        bound.cancel()
        if show:
            print(f"$ {command}\n{text}".rstrip() + "\n", flush=True)
        if ended != status:
            raise FirstHourError(f"{command} ended with {ended}, not {status}:\n{text}")
        return text

    def start(self, command: str) -> Running:
        """Run a command in another terminal."""
        leader, follower = self._pty()
        process = self._start(f"exec {command}", follower)
        os.close(follower)
        print(f"(in another terminal) $ {command}\n", flush=True)
        return Running(process, leader)

    def until(self, what: str, command: str, pattern: str, *, timeout_s: float = 60) -> None:
        """Look with a command that isn't shown until its output matches."""
        deadline = time.monotonic() + timeout_s
        seen = ""
        while time.monotonic() < deadline:
            with contextlib.suppress(FirstHourError):
                seen = self.type(command, show=False)
                if re.search(pattern, seen):
                    return
            time.sleep(0.3)
        raise FirstHourError(f"not within {timeout_s} s: {what}\n{seen}")

    def _start(self, command: str, tty: int) -> subprocess.Popen:
        return subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environ,
            stdin=tty,
            stdout=tty,
            stderr=tty,
            start_new_session=True,
        )

    @staticmethod
    def _pty() -> tuple[int, int]:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        return leader, follower


def _chunks(leader: int) -> Iterator[bytes]:
    """What is written to a terminal, until nobody has it open."""
    with open(leader, "rb", buffering=0) as tty:
        while True:
            try:
                chunk = tty.read(65536)
            except OSError:  # Linux says EIO where the other side is closed
                return
            if not chunk:
                return
            yield chunk
