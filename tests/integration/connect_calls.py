"""The calls that a real Kafka Connect and ours must answer alike, in order, and how answers are compared."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """One of the two: where it listens, and what its sink is configured with."""

    url: str
    sink: Mapping[str, str]
    plugin: str

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None):
        """The status and the JSON of an answer, None where it has none."""
        at = urlsplit(self.url)
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, body=data, headers={**sent, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            kind = response.headers.get_content_type()
            found = {name.lower(): value for name, value in response.getheaders()}
            shape = json.loads(text) if text and (kind == "application/json" or text[:1] in b"{[") else None
            return response.status, shape, found
        finally:
            connection.close()


@dataclass(frozen=True)
class Call:
    """One request. In `path` and `body`, PLUGIN and SINK stand for the target's own.

    `deviation` is why ours answers with `ours` (status) instead of Connect's, or with other keys where `ours` is 0.
    `text` is whether error messages are compared, too. `wait` is a state to wait for beforehand.
    """

    method: str
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    deviation: str = ""
    ours: int = 0
    text: bool = False
    wait: tuple[str, str] = ("", "")


def without_file(sink: Mapping[str, str]) -> dict[str, str]:
    """The sink's configuration with nothing to read from."""
    return {key: value for key, value in sink.items() if key != "topics"}


NO_TOPICS = object()


def sink(**more: object) -> tuple[str, dict[str, object]]:
    """The target's sink with some keys more."""
    return ("SINK", more)


def fill(body: object, target: Target) -> object:
    """A body with the target's own sink in place of SINK."""
    match body:
        case ("SINK", more):
            filled = {**target.sink, **more}
            return {key: value for key, value in filled.items() if value is not NO_TOPICS}
        case dict():
            return {key: fill(value, target) for key, value in body.items()}
        case _:
            return body


def send(call: Call, target: Target):
    """Send it to a target, once the state it waits for is there."""
    name, state = call.wait
    deadline = time.monotonic() + 40
    while name:
        _, status, _ = target.ask("GET", f"/connectors/{name}/status")
        tasks = [task["state"] for task in status.get("tasks", [])]
        found = status.get("connector", {}).get("state")
        done = found == state and (state == "STOPPED" or (tasks and set(tasks) == {state}) or state == "PAUSED")
        if done and not (state == "STOPPED" and tasks):
            break
        assert time.monotonic() < deadline, f"{target.url}: {name} is {found} {tasks}, not {state}"
        time.sleep(0.1)
    path = call.path.replace("PLUGIN", target.plugin)
    return target.ask(call.method, path, fill(call.body, target), call.headers)


def differences(connect: object, ours: object, where: str) -> list[str]:  # noqa: PLR0911 (one return a kind)
    """Where two JSON documents differ in keys and types; keys that users or loggers choose are left alone."""
    if isinstance(connect, dict) and isinstance(ours, dict) and where in NAMED:
        common = connect.keys() & ours.keys()
        return [one for key in common for one in differences(connect[key], ours[key], f"{where}.{key}")]
    if isinstance(connect, dict) and isinstance(ours, dict):
        if where.rpartition(".")[2] == "config":
            return [] if all(isinstance(value, str) for value in ours.values()) else [f"{where}: values are no texts"]
        found = [f"{where}.{key} is missing" for key in connect if key not in ours]
        found += [f"{where}.{key} is ours alone" for key in ours if key not in connect]
        for key in connect:
            if key in ours:
                found += differences(connect[key], ours[key], f"{where}.{key}")
        return found
    if isinstance(connect, list) and isinstance(ours, list):
        if connect and ours:
            return differences(connect[0], ours[0], f"{where}[]")
        return []
    if type(connect) is not type(ours) and not (connect is None or ours is None):
        return [f"{where} is {type(connect).__name__} there and {type(ours).__name__} here"]
    return []


NAMED = frozenset({"/connectors?expand", "/admin/loggers", "/admin/loggers/"})
"""Answers that are maps by names."""

BEYOND = "an offset beyond the topic's end is a slip of the hand: nothing could be read from there"
MALFORMED = "what can't be read is the client's mistake: 400 tells it so, and retries are spared"
OFFSET = {"partition": {"kafka_topic": "T", "kafka_partition": 0}, "offset": {"kafka_offset": 1}}


def offset(number: object, partition: object = 0, topic: object = "TOPIC") -> dict:
    """One entry for a PATCH of offsets."""
    at = number if number is None or isinstance(number, dict) else {"kafka_offset": number}
    return {"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": at}


def offsets(*entries: object) -> dict:
    """A PATCH of offsets."""
    return {"offsets": list(entries)}


PROGRESS = "RUNNING tasks also show their `progress`"
PROBLEMS = "/health also lists what is wrong in `problems`"
VALIDATES = "validate also tells `warnings` and the `guarantee`"

CALLS = (
    Call("GET", "/"),
    Call("GET", "/health", text=True, deviation=PROBLEMS),
    Call("GET", "/connectors"),
    Call("GET", "/connectors/"),
    Call("HEAD", "/connectors"),
    Call("POST", "/connectors", {"name": "a", "config": sink()}),
    Call("POST", "/connectors", {"name": "a", "config": sink()}, text=True),
    Call("POST", "/connectors", {"name": "b", "config": sink(), "initial_state": "stopped"}),
    Call("POST", "/connectors", {"name": " c ", "config": sink(), "initial_state": "PAUSED"}),
    Call("POST", "/connectors", {"name": "d", "config": sink(name="d", **{"tasks.max": 2})}),
    Call("POST", "/connectors", {"name": "e", "config": sink(name="f")}, text=True),
    Call("POST", "/connectors", {"name": "e", "config": sink(), "initial_state": "bad"}, deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", {"name": "e", "config": {"connector.class": "nope"}}),
    Call("POST", "/connectors", {"name": "e", "config": {}}, text=True),
    Call("POST", "/connectors", {"name": "e", "config": sink(**{"tasks.max": "x", "topics": ""})}),
    Call("POST", "/connectors", {"name": "e"}, deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", {"config": sink()}),
    Call("POST", "/connectors", {"name": None, "config": sink(name="q")}, text=True),
    Call("POST", "/connectors", {"name": "e", "config": sink(), "more": 1}, deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", b'{"name":', deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", b"[]", deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", b"null", deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", b"{}", deviation=MALFORMED, ours=400),
    Call("POST", "/connectors", b"{}", {"Content-Type": "text/plain"}, text=True),
    Call(
        "POST",
        "/connectors",
        {"name": "e/f", "config": sink()},
        deviation="a name with a slash makes no file's name, and no path that proxies let through",
        ours=400,
    ),
    Call("PUT", "/connectors", {}, text=True),
    Call("DELETE", "/connectors", text=True),
    Call("PATCH", "/connectors/a", {}, text=True),
    Call("GET", "/connectors/a", wait=("a", "RUNNING")),
    Call("GET", "/connectors?expand=status", deviation=PROGRESS),
    Call("GET", "/connectors?expand=info"),
    Call("GET", "/connectors?expand=info&expand=status", deviation=PROGRESS),
    Call("GET", "/connectors?expand=nope"),
    Call("GET", "/connectors/a/config"),
    Call("GET", "/connectors/a/status", deviation=PROGRESS),
    Call("GET", "/connectors/a/tasks"),
    Call("GET", "/connectors/a/tasks/0/status", deviation=PROGRESS),
    Call("GET", "/connectors/a/tasks/9/status", text=True),
    Call("GET", "/connectors/a/tasks/x/status", text=True),
    Call("GET", "/connectors/a/topics"),
    Call("GET", "/connectors/a/offsets"),
    Call("GET", "/connectors/a/tasks-config", text=True),
    Call("GET", "/connectors/b"),
    Call("GET", "/connectors/b/status"),
    Call("GET", "/connectors/b/tasks"),
    Call("GET", "/connectors/c/status", wait=("c", "PAUSED")),
    Call("GET", "/connectors/nobody", text=True),
    Call("GET", "/connectors/nobody/config", text=True),
    Call("GET", "/connectors/nobody/status", text=True),
    Call("GET", "/connectors/nobody/tasks", text=True),
    Call("GET", "/connectors/nobody/tasks/0/status", text=True),
    Call("GET", "/connectors/nobody/topics"),
    Call("GET", "/connectors/nobody/offsets", text=True),
    Call("GET", "/nothing", text=True),
    Call("GET", "/connectors/a/nothing", text=True),
    Call("PUT", "/connectors/p/config", sink()),
    Call("PUT", "/connectors/p/config", sink(**{"tasks.max": "1"})),
    Call("PUT", "/connectors/p/config", sink(name="z"), text=True),
    Call("PUT", "/connectors/p/config", {"connector.class": "nope"}),
    Call("PUT", "/connectors/p/config", {}, text=True),
    Call("PUT", "/connectors/p/config", sink(**{"tasks.max": "0"})),
    Call("PUT", "/connectors/p/config", sink(x=None), text=True),
    Call("PUT", "/connectors/p/config", sink(x={"a": 1}), deviation=MALFORMED, ours=400),
    Call("PUT", "/connectors/p/config", b"[]", deviation=MALFORMED, ours=400),
    Call("PATCH", "/connectors/p/config", {"x": "1"}, wait=("p", "RUNNING")),
    Call("PATCH", "/connectors/p/config", {"x": None}),
    Call("PATCH", "/connectors/p/config", {"topics": None}),
    Call("PATCH", "/connectors/p/config", {}),
    Call("PATCH", "/connectors/nobody/config", {"x": "1"}, text=True),
    Call(
        "PATCH",
        "/connectors/p/config",
        {"name": "other"},
        deviation="a connector whose configuration has another name can't be put again",
        ours=400,
    ),
    Call("POST", "/connectors/p/restart", wait=("p", "RUNNING")),
    Call("POST", "/connectors/p/restart?includeTasks=true", deviation=PROGRESS, wait=("p", "RUNNING")),
    Call("POST", "/connectors/p/restart?onlyFailed=true", deviation=PROGRESS, wait=("p", "RUNNING")),
    Call("POST", "/connectors/p/restart?includeTasks=true&onlyFailed=true", deviation=PROGRESS, wait=("p", "RUNNING")),
    Call("POST", "/connectors/p/restart?includeTasks=maybe"),
    Call("POST", "/connectors/p/tasks/0/restart", wait=("p", "RUNNING")),
    Call("POST", "/connectors/p/tasks/7/restart", text=True),
    Call("PUT", "/connectors/p/pause"),
    Call("PUT", "/connectors/p/pause", wait=("p", "PAUSED")),
    Call("GET", "/connectors/p/status"),
    Call("PUT", "/connectors/p/resume"),
    Call("PUT", "/connectors/p/topics/reset", wait=("p", "RUNNING")),
    Call("DELETE", "/connectors/p/offsets", text=True),
    Call("PATCH", "/connectors/p/offsets", offsets(offset(1)), text=True),
    Call("PUT", "/connectors/p/stop"),
    Call("PUT", "/connectors/p/stop", wait=("p", "STOPPED")),
    Call("GET", "/connectors/p/tasks"),
    Call("PATCH", "/connectors/p/offsets", offsets(), text=True),
    Call("PATCH", "/connectors/p/offsets", {}, text=True),
    # Ours also says what is archived already from there on.
    Call("PATCH", "/connectors/p/offsets", offsets(offset(1))),
    Call("PATCH", "/connectors/p/offsets", offsets(offset("2", "1"))),
    Call("PATCH", "/connectors/p/offsets", offsets(offset(10**6)), deviation=BEYOND, ours=400),
    Call("GET", "/connectors/p/offsets"),
    Call("PATCH", "/connectors/p/offsets", offsets(offset(None)), text=True),
    Call("PATCH", "/connectors/p/offsets", offsets(offset({})), text=True),
    Call("PATCH", "/connectors/p/offsets", offsets(offset("x")), text=True),
    Call("PATCH", "/connectors/p/offsets", offsets(offset(-1)), deviation=MALFORMED, ours=400),
    Call("PATCH", "/connectors/p/offsets", offsets(offset(1, topic=None)), text=True),
    Call("PATCH", "/connectors/p/offsets", offsets({"partition": {}, "offset": None}), text=True),
    Call("PATCH", "/connectors/p/offsets", offsets({"offset": {"kafka_offset": 1}}), text=True),
    Call("PATCH", "/connectors/p/offsets", {"x": 1}, deviation=MALFORMED, ours=400),
    Call("PATCH", "/connectors/nobody/offsets", offsets(offset(1)), text=True),
    Call("DELETE", "/connectors/p/offsets", text=True),
    Call("DELETE", "/connectors/p/offsets", text=True),
    Call("DELETE", "/connectors/nobody/offsets", text=True),
    Call("POST", "/connectors/p/restart"),
    Call("POST", "/connectors/p/restart?includeTasks=true"),
    Call(
        "POST",
        "/connectors/p/tasks/0/restart",
        deviation="a stopped connector has no task 0; Connect looks for the worker that runs it",
        ours=404,
    ),
    *(Call("PUT", f"/connectors/nobody/{what}", text=True) for what in ("pause", "resume", "stop")),
    Call("PUT", "/connectors/nobody/topics/reset"),
    Call("POST", "/connectors/nobody/restart", text=True),
    Call("POST", "/connectors/nobody/restart?includeTasks=true", text=True),
    Call("POST", "/connectors/nobody/tasks/0/restart", text=True),
    Call("DELETE", "/connectors/p"),
    Call("DELETE", "/connectors/p", text=True),
    Call("GET", "/connector-plugins"),
    Call("GET", "/connector-plugins?connectorsOnly=false"),
    Call("GET", "/connector-plugins/PLUGIN/config"),
    Call("GET", "/connector-plugins/nope/config", text=True),
    Call("GET", "/connector-plugins/org.apache.kafka.connect.transforms.RegexRouter/config"),
    Call("GET", "/connector-plugins/TopicNameMatches/config"),
    Call("PUT", "/connector-plugins/PLUGIN/config/validate", sink(name="v"), deviation=VALIDATES),
    Call("PUT", "/connector-plugins/PLUGIN/config/validate", sink(**{"tasks.max": "x"}), deviation=VALIDATES),
    Call("PUT", "/connector-plugins/Nope/config/validate", sink()),
    Call("PUT", "/connector-plugins/PLUGIN/config/validate", {"connector.class": "nope"}),
    Call("PUT", "/connector-plugins/PLUGIN/config/validate", {}, deviation=MALFORMED, ours=400),
    Call("PUT", "/connector-plugins/nope/config/validate", {"connector.class": "nope"}, deviation=MALFORMED, ours=400),
    Call("GET", "/admin/loggers"),
    Call("GET", "/admin/loggers/root"),
    Call("PUT", "/admin/loggers/a.b", {"level": "DEBUG"}),
    Call("GET", "/admin/loggers/a.b"),
    Call("PUT", "/admin/loggers/a.b?scope=cluster", {"level": "warn"}),
    Call("PUT", "/admin/loggers/a.b?scope=nope", {"level": "INFO"}),
    Call("PUT", "/admin/loggers/a.b", {"level": "LOUD"}),
    Call("PUT", "/admin/loggers/a.b", {}, text=True),
    Call("DELETE", "/admin/loggers/root", text=True),
    Call("GET", "/connectors/%2F..%2Fetc"),
    Call("GET", "/connectors/a%00b"),
    Call("GET", "/connectors/%2e%2e/x"),
    *(Call("DELETE", f"/connectors/{name}") for name in "abcd"),
)
