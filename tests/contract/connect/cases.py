"""Cases for the transforms: configurations and records drawn by chance from a seed, as Kafka Connect takes them."""

import base64
import json
import random
import re
from datetime import UTC, datetime, timedelta

PACKAGE = "org.apache.kafka.connect.transforms."
LOGICAL = "org.apache.kafka.connect.data."
DAY_MS = 86_400_000
FORMATS = {
    "yyyy-MM-dd'T'HH:mm:ss.SSSX": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
    "yyyy-MM-dd HH:mm:ss": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "yyyy-MM-dd": lambda at: f"{at:%Y-%m-%d}",
    "dd MMM yyyy HH:mm": lambda at: f"{at:%d %b %Y %H:%M}",
    "EEE, d MMMM yyyy HH:mm:ss Z": lambda at: f"{at:%A, %d %B %Y %H:%M:%S} +0200",
    "yyyyMMddHHmmss": lambda at: f"{at:%Y%m%d%H%M%S}",
    "M/d/yy h:mm a": lambda at: f"{at.month}/{at.day}/{at:%y %I:%M %p}",
    "D yyyy kk'h'": lambda at: f"{at:%j %Y %H}h",
}
LITERALS = ("x", "42", "true", "", "a b", "Zürich")
LEAVES = {
    "i8": ({"type": "int8"}, lambda r: r.randint(-128, 127)),
    "i16": ({"type": "int16"}, lambda r: r.randint(-32768, 32767)),
    "i32": ({"type": "int32"}, lambda r: r.choice([0, 1, -7, 2**31 - 1, r.randint(-(10**9), 10**9)])),
    "i64": ({"type": "int64"}, lambda r: r.choice([0, 1, -1, 2**53 + 1, r.randint(-(10**12), 2 * 10**12)])),
    "f32": ({"type": "float"}, lambda r: r.choice([0.5, -1.25, 1e7, 3.0, r.randint(-999, 999) / 8])),
    "f64": ({"type": "double"}, lambda r: r.choice([0.5, 1e7, 1.5e300, -1e-5, 100.0, r.uniform(-1e6, 1e6)])),
    "yes": ({"type": "boolean"}, lambda r: r.random() < 0.5),
    "s": ({"type": "string"}, lambda r: r.choice(["", "x", "true", "TRUE", "Zürich", '"q"', "a,b"])),
    "num": ({"type": "string"}, lambda r: r.choice(["1", "-12", "+5", "1.5", "300", "x", " 7 ", "1e3", "99999999999"])),
    "by": ({"type": "bytes"}, lambda r: base64.b64encode(r.randbytes(3)).decode()),
    "dec": (
        {"type": "bytes", "name": f"{LOGICAL}Decimal", "version": 1, "parameters": {"scale": "2"}},
        lambda r: base64.b64encode(r.randint(-30000, 30000).to_bytes(3, "big", signed=True)).decode(),
    ),
    "day": ({"type": "int32", "name": f"{LOGICAL}Date", "version": 1}, lambda r: r.randint(1, 30000)),
    "time": ({"type": "int32", "name": f"{LOGICAL}Time", "version": 1}, lambda r: r.randint(0, DAY_MS - 1)),
    "at": ({"type": "int64", "name": f"{LOGICAL}Timestamp", "version": 1}, lambda r: r.randint(DAY_MS, 2 * 10**12)),
    "list": (
        {"type": "array", "items": {"type": "int32"}},
        lambda r: [r.randint(0, 9) for _ in range(r.randint(0, 3))],
    ),
    "inner": (
        {
            "type": "struct",
            "fields": [
                {"field": "x", "type": "int32", "optional": True},
                {"field": "deep", "type": "struct", "optional": True, "fields": [{"field": "y", "type": "string"}]},
            ],
        },
        lambda r: {"x": r.randint(0, 9), "deep": r.choice([None, {"y": "z"}])},
    ),
}
PLAIN = {
    "i": lambda r: r.choice([0, 1, -7, 300, 2**40, r.randint(-(10**9), 10**9)]),
    "f": lambda r: r.randint(-999, 999) + 0.5,
    "yes": lambda r: r.random() < 0.5,
    "s": LEAVES["s"][1],
    "num": LEAVES["num"][1],
    "list": LEAVES["list"][1],
    "inner": lambda r: r.choice([{"x": r.randint(0, 9)}, {"x": 1, "deep": {"y": "z"}}]),
    "mixed": lambda r: r.choice([1, "1", True, 2.5, [1]]),
}
CASTS = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string")


def draw(seed):
    """One case."""
    return _Draw(random.Random(seed)).case()


class _Draw:
    def __init__(self, chance):
        self.chance = chance
        self.schemas = chance.random() < 0.5
        pool = LEAVES if self.schemas else PLAIN
        self.fields = chance.sample(sorted(pool), chance.randint(2, 5))
        self.format = chance.choice(sorted(FORMATS))
        self.keys_are = chance.choice(["object", "number", "text"])
        self.names = [*self.fields, "when"]

    def case(self):
        steps = [self._step() for _ in range(self.chance.choice([1, 1, 1, 2, 2, 3]))]
        records = [self._record(offset) for offset in range(self.chance.randint(1, 6))]
        return {"schemas": self.schemas, "steps": steps, "records": records}

    def _record(self, offset):
        return {
            "topic": "logs-a",
            "partition": 3,
            "offset": 100 + offset,
            "timestamp": self.chance.choice([0, 1_700_000_000_000 + offset, self.chance.randint(0, 2 * 10**12)]),
            "key": None if self.chance.random() < 0.1 else self._key(),
            "value": None if self.chance.random() < 0.08 else self._value(),
            "headers": [
                [self.chance.choice("hgz"), self.chance.choice(LITERALS[:3])] for _ in range(self.chance.randint(0, 2))
            ],
        }

    def _key(self):
        schema, payload = {
            "object": (
                {"type": "struct", "fields": [{"field": "id", "type": "int64"}]},
                {"id": self.chance.randint(0, 9)},
            ),
            "number": ({"type": "int64"}, self.chance.randint(0, 2 * 10**12)),
            "text": ({"type": "string"}, self.chance.choice(["x", "12", self._when()])),
        }[self.keys_are]
        return json.dumps({"schema": schema, "payload": payload} if self.schemas else payload)

    def _value(self):
        if not self.schemas:
            document = {name: self._maybe(PLAIN[name]) for name in self.fields if self.chance.random() < 0.9}
            return json.dumps(document | {"when": self._when()})
        kinds = [{"field": name, "optional": True, **LEAVES[name][0]} for name in self.fields]
        schema = {"type": "struct", "fields": [*kinds, {"field": "when", "type": "string", "optional": True}]}
        payload = {name: self._maybe(LEAVES[name][1]) for name in self.fields} | {"when": self._when()}
        return json.dumps({"schema": schema, "payload": payload})

    def _maybe(self, draw):
        return None if self.chance.random() < 0.12 else draw(self.chance)

    def _when(self):
        if self.chance.random() < 0.08:
            return "yesterday"
        at = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.chance.randint(0, 2 * 10**12))
        return FORMATS[self.format](at)

    def _some(self, most=3):
        names = self.chance.sample(self.names, min(self.chance.randint(1, most), len(self.names)))
        return [*names, "none"] if self.chance.random() < 0.1 else names

    def _step(self):
        name = self.chance.choice(
            (
                "Cast",
                "DropHeaders",
                "ExtractField",
                "Filter",
                "Flatten",
                "HeaderFrom",
                "HoistField",
                "InsertField",
                "InsertHeader",
                "MaskField",
                "RegexRouter",
                "ReplaceField",
                "SetSchemaMetadata",
                "TimestampConverter",
                "TimestampRouter",
                "ValueToKey",
                "Cast",
                "TimestampConverter",
                "MaskField",
            )
        )
        sided = name not in {
            *("DropHeaders", "Filter", "InsertHeader", "RegexRouter", "TimestampRouter", "ValueToKey"),
        }
        key = sided and self.chance.random() < 0.2
        words = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
        settings = getattr(self, f"settings_of_{words}")(key=key)
        step = {"class": f"{PACKAGE}{name}{('$Key' if key else '$Value') if sided else ''}", "settings": settings}
        if self.chance.random() < 0.25 or name == "Filter":
            step["predicate"] = self._predicate()
            step["negate"] = self.chance.random() < 0.4
        return step

    def _predicate(self):
        name, settings = self.chance.choice(
            [
                ("HasHeaderKey", {"name": "h"}),
                ("RecordIsTombstone", {}),
                ("TopicNameMatches", {"pattern": self.chance.choice(["logs-.*", "logs", "a|logs-[a-c]"])}),
            ]
        )
        return {"class": f"{PACKAGE}predicates.{name}", "settings": settings}

    def settings_of_cast(self, *, key):
        if key and self.keys_are != "object":
            return {"spec": self.chance.choice(CASTS)}
        names = ["id"] if key else self._some()
        return {"spec": ",".join(f"{name}:{self.chance.choice(CASTS)}" for name in names)}

    def settings_of_drop_headers(self, *, key):
        return {"headers": self.chance.choice(["h", "h,z", "none"])}

    def settings_of_extract_field(self, *, key):
        if key:
            return {"field": "id"}
        if "inner" in self.fields and self.chance.random() < 0.5:
            return {"field": self.chance.choice(["inner.x", "inner.deep.y"]), "field.syntax.version": "V2"}
        return {"field": self._some(1)[0]}

    def settings_of_filter(self, *, key):
        return {}

    def settings_of_flatten(self, *, key):
        return self.chance.choice([{}, {"delimiter": "_"}])

    def settings_of_header_from(self, *, key):
        fields = ["id"] if key else self._some()
        operation = self.chance.choice(["copy", "move"])
        return {"fields": ",".join(fields), "headers": ",".join(f"H{name}" for name in fields), "operation": operation}

    def settings_of_hoist_field(self, *, key):
        return {"field": "all"}

    def settings_of_insert_field(self, *, key):
        kinds = self.chance.sample(["topic", "partition", "offset", "timestamp"], self.chance.randint(1, 3))
        settings = {f"{kind}.field": f"_{kind}{self.chance.choice(['', '?'])}" for kind in kinds}
        return settings | self.chance.choice([{}, {"static.field": "site", "static.value": "b"}])

    def settings_of_insert_header(self, *, key):
        return {"header": self.chance.choice("hn"), "value.literal": self.chance.choice(LITERALS)}

    def settings_of_mask_field(self, *, key):
        fields = ["id"] if key else self._some()
        return {"fields": ",".join(fields)} | self.chance.choice([{}, {}, {"replacement": "7"}, {"replacement": "xxx"}])

    def settings_of_regex_router(self, *, key):
        regex, replacement = self.chance.choice(
            [
                ("logs-(.*)", "$1"),
                ("(?<a>[a-z]+)-(\\w)", "${a}.$2x"),
                ("l|logs-a", "k"),
                ("none", "x"),
                ("(.*)", "pre-$1"),
            ]
        )
        return {"regex": regex, "replacement": replacement}

    def settings_of_replace_field(self, *, key):
        if key:
            return {"renames": "id:ident"}
        what = self.chance.choice(["exclude", "include", "renames"])
        names = self._some()
        return {what: ",".join(f"{name}:r_{name}" for name in names) if what == "renames" else ",".join(names)}

    def settings_of_set_schema_metadata(self, *, key):
        return {"schema.name": "N", "schema.version": "3"}

    def settings_of_timestamp_converter(self, *, key):
        targets = ["string", "unix"] if key or not self.schemas else ["string", "unix", "Date", "Time", "Timestamp"]
        fields = ["" if self.keys_are != "object" else "id"] if key else ["when", "when", "when", *self.fields, "none"]
        settings = {
            "field": self.chance.choice(fields),
            "target.type": self.chance.choice(targets),
            "format": self.format,
        }
        return settings | (
            {"unix.precision": self.chance.choice(["seconds", "microseconds", "nanoseconds"])}
            if self.chance.random() < 0.3
            else {}
        )

    def settings_of_timestamp_router(self, *, key):
        return self.chance.choice(
            [{}, {"topic.format": "${topic}.${timestamp}", "timestamp.format": "yyyy-MM-dd.HH.mm"}]
        )

    def settings_of_value_to_key(self, *, key):
        return {"fields": ",".join(self._some())}
