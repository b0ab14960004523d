"""A TCP proxy for cutting the network: between a client and a server whose advertised port is the proxy's."""

import asyncio
import contextlib
import threading


class TcpProxy:
    """Forwards 127.0.0.1:port to 127.0.0.1:target until told otherwise."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self._cut = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._half_open = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(10)

    def cut(self) -> None:
        """Drop all connections and refuse new ones."""
        self._cut = True
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    def stall(self) -> None:
        """Keep connections, and take new ones, but hold back every byte."""
        self._flowing.clear()

    def delay(self, seconds: float) -> None:
        """Hold every piece of data for this long."""
        self._delay_s = seconds

    def half_open(self) -> None:
        """Keep connections, and take new ones, but lose every byte: as when the other side has lost its power."""
        self._half_open = True

    def restore(self) -> None:
        """Let connections through again, with what was held back; those that lost bytes are dropped."""
        self._cut = False
        self._delay_s = 0.0
        self._flowing.set()
        if self._half_open:
            asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)
            self._half_open = False

    def stop(self) -> None:
        """End."""
        self.restore()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end(server))
        self._loop.close()

    async def _end(self, server: asyncio.Server) -> None:
        """Drop every connection. Those on their way in are let in first: a server that is closed leaks them."""
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        for _ in range(100):
            await asyncio.sleep(0.02)
            await self._drop()
            if asyncio.all_tasks() == {asyncio.current_task()}:
                break
        server.close()
        await asyncio.sleep(0.02)

    async def _drop(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        both = [writer]
        self._open.add(writer)
        try:
            if not self._cut:
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target)
                both.append(back_writer)
                self._open.add(back_writer)
                await asyncio.gather(self._pump(reader, back_writer), self._pump(back_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for each in both:
                self._open.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                while not self._flowing.is_set():
                    await asyncio.sleep(0.02)
                if self._half_open:
                    continue
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
