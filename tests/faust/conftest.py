"""Fixtures for tests with Faust apps that are in no worker: a loop, and apps whose own loops are closed at the end."""

import asyncio
import gc

import faust
import pytest


@pytest.fixture
def loop():
    """An event loop, the current one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    for _ in range(3):
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    asyncio.set_event_loop(None)
    del tasks
    gc.collect()


@pytest.fixture
def make_app(loop):
    """Makes apps that no broker is needed for."""
    apps = []

    def make(name, **settings):
        apps.append(faust.App(name, broker="kafka://127.0.0.1:1", store="memory://", loop=loop, **settings))
        apps[-1].finalize()
        return apps[-1]

    yield make
    for app in apps:
        if app._consumer is not None:
            app._consumer._thread.thread_loop.close()
