"""Connect's transforms and predicates: their names and keys. Definitions only; checks what a value alone can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamsink.config.keys import transform_checks as checks
from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Importance, KeyType, Validator
from streamsink.java import regex

TARGETS = ("string", "unix", "Date", "Time", "Timestamp")
PRECISIONS = ("seconds", "milliseconds", "microseconds", "nanoseconds")


@dataclass(frozen=True, slots=True)
class TransformKind:
    """One of Connect's transforms, or predicates.

    `sided` ones come as `$Key` and `$Value`; they read and write that side, others what is said here. `names` are the
    settings that name fields. `check` finds what is wrong with the settings as a whole.
    """

    name: str
    keys: tuple[ConfigKey, ...]
    documentation: str
    sided: bool = False
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    check: Callable[[Mapping[str, str]], str] | None = None


def _key(
    name: str,
    kind: KeyType,
    default: str | None,
    documentation: str,
    validator: Validator | None = None,
    **more: object,
) -> ConfigKey:
    importance = Importance.HIGH if more.get("required") else Importance.MEDIUM
    recommended = more.get("recommended", ())
    assert isinstance(recommended, tuple)
    return ConfigKey(
        name, kind, REQUIRED if more.get("required") else default, documentation, importance, validator, recommended
    )


_DEFAULTS = _key(
    "replace.null.with.default",
    KeyType.BOOLEAN,
    "true",
    "Kafka Connect's key. A schema's defaults are in their places before any transform sees the value.",
)
_FIELDS = _key("fields", KeyType.LIST, None, "Names of fields.", checks.filled, required=True)

TRANSFORMS = (
    TransformKind(
        "Cast",
        (
            _key(
                "spec",
                KeyType.LIST,
                None,
                "Fields and their new types, as id:int64,price:float64; or one type for the whole value.",
                checks.cast_spec,
                required=True,
            ),
            _DEFAULTS,
        ),
        "Casts fields, or the whole key or value, to another type.",
        sided=True,
        names=("spec",),
    ),
    TransformKind(
        "DropHeaders",
        (_key("headers", KeyType.LIST, None, "Names of the headers to drop.", checks.filled, required=True),),
        "Drops headers.",
    ),
    TransformKind(
        "ExtractField",
        (
            _key("field", KeyType.STRING, None, "The field to extract.", checks.filled, required=True),
            _key(
                "field.syntax.version",
                KeyType.STRING,
                "V1",
                "V1: the field's name. V2: dots lead into nested fields.",
                check.one_of(("V1", "V2")),
                recommended=("V1", "V2"),
            ),
            _DEFAULTS,
        ),
        "Puts one field in place of the whole key or value.",
        sided=True,
        names=("field",),
    ),
    TransformKind("Filter", (), "Drops records; made for use with a predicate."),
    TransformKind(
        "Flatten",
        (_key("delimiter", KeyType.STRING, ".", "What stands between the names that are joined."),),
        "Takes nested structs apart.",
        sided=True,
    ),
    TransformKind(
        "HeaderFrom",
        (
            _FIELDS,
            _key(
                "headers", KeyType.LIST, None, "Names of the headers, as many as fields.", checks.filled, required=True
            ),
            _key(
                "operation",
                KeyType.STRING,
                None,
                "copy keeps the fields, move drops them.",
                checks.exactly(("move", "copy")),
                required=True,
                recommended=("copy", "move"),
            ),
            _DEFAULTS,
        ),
        "Copies or moves fields into headers.",
        sided=True,
        names=("fields",),
        check=checks.as_many,
    ),
    TransformKind(
        "HoistField",
        (_key("field", KeyType.STRING, None, "The field's name.", checks.filled, required=True),),
        "Makes the whole key or value the one field of a struct.",
        sided=True,
    ),
    TransformKind(
        "InsertField",
        (
            _key("topic.field", KeyType.STRING, None, "Field for the topic's name."),
            _key("partition.field", KeyType.STRING, None, "Field for the partition."),
            _key("offset.field", KeyType.STRING, None, "Field for the offset."),
            _key("timestamp.field", KeyType.STRING, None, "Field for the record's timestamp."),
            _key("static.field", KeyType.STRING, None, "Field for a fixed text."),
            _key("static.value", KeyType.STRING, None, "That text."),
            _DEFAULTS,
        ),
        "Puts what Kafka knows of a record, or a fixed text, into fields.",
        sided=True,
        names=("topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"),
        check=checks.insertions,
    ),
    TransformKind(
        "InsertHeader",
        (
            _key("header", KeyType.STRING, None, "The header's name.", required=True),
            _key("value.literal", KeyType.STRING, None, "Its value; required, and may be empty."),
        ),
        "Adds a header.",
        check=checks.literal_given,
    ),
    TransformKind(
        "MaskField",
        (
            _FIELDS,
            _key("replacement", KeyType.STRING, None, "What strings and numbers become; else empty or 0."),
            _DEFAULTS,
        ),
        "Masks fields with their types' null values, or with a replacement.",
        sided=True,
        names=("fields",),
    ),
    TransformKind(
        "RegexRouter",
        (
            _key(
                "regex",
                KeyType.STRING,
                None,
                "What topics' names must match as a whole.",
                checks.readable_by(regex.compiled),
                required=True,
            ),
            _key("replacement", KeyType.STRING, None, "What they become, as archive-$1.", required=True),
        ),
        "Names topics anew by a regular expression.",
        reads=frozenset({"topic"}),
        writes=frozenset({"topic"}),
        check=checks.replacement_fits,
    ),
    TransformKind(
        "ReplaceField",
        (
            _key("exclude", KeyType.LIST, "", "Fields to leave out."),
            _key("include", KeyType.LIST, "", "Fields to keep, if not all."),
            _key("renames", KeyType.LIST, "", "Fields to rename, as old:new.", checks.pairs),
            _DEFAULTS,
        ),
        "Keeps, leaves out and renames fields.",
        sided=True,
        names=("exclude", "include", "renames"),
    ),
    TransformKind(
        "SetSchemaMetadata",
        (
            _key("schema.name", KeyType.STRING, None, "The schema's name."),
            _key("schema.version", KeyType.INT, None, "The schema's version."),
            _DEFAULTS,
        ),
        "Names a schema, and gives it a version.",
        sided=True,
        check=checks.name_or_version,
    ),
    TransformKind(
        "TimestampConverter",
        (
            _key("field", KeyType.STRING, "", "The field with the time; the whole key or value if empty."),
            _key(
                "target.type",
                KeyType.STRING,
                None,
                "What the time becomes.",
                checks.exactly(TARGETS),
                required=True,
                recommended=TARGETS,
            ),
            _key(
                "format",
                KeyType.STRING,
                "",
                "Java's SimpleDateFormat, for strings read and written.",
                checks.date_format,
            ),
            _key(
                "unix.precision",
                KeyType.STRING,
                "milliseconds",
                "Unit of epoch numbers read and written.",
                checks.exactly(PRECISIONS),
                recommended=PRECISIONS,
            ),
            _DEFAULTS,
        ),
        "Converts times between strings, epoch numbers, dates, times of day and timestamps.",
        sided=True,
        names=("field",),
        check=checks.format_for_string,
    ),
    TransformKind(
        "TimestampRouter",
        (
            _key("topic.format", KeyType.STRING, "${topic}-${timestamp}", "The topic's new name."),
            _key(
                "timestamp.format",
                KeyType.STRING,
                "yyyyMMdd",
                "How the record's time is written, in UTC, as Java's SimpleDateFormat.",
                checks.date_format,
            ),
        ),
        "Puts the record's time into the topic's name.",
        reads=frozenset({"topic"}),
        writes=frozenset({"topic"}),
    ),
    TransformKind(
        "ValueToKey",
        (_FIELDS, _DEFAULTS),
        "Makes a key of fields of the value.",
        reads=frozenset({"value"}),
        writes=frozenset({"key"}),
        names=("fields",),
    ),
)

PREDICATES = (
    TransformKind(
        "HasHeaderKey",
        (_key("name", KeyType.STRING, None, "The header's name.", checks.filled, required=True),),
        "True for records with a header of that name.",
    ),
    TransformKind("RecordIsTombstone", (), "True for records without a value."),
    TransformKind(
        "TopicNameMatches",
        (
            _key(
                "pattern",
                KeyType.STRING,
                None,
                "A regular expression.",
                checks.readable_by(regex.compiled),
                required=True,
            ),
        ),
        "True for records of topics that a regular expression matches.",
    ),
)

TRANSFORM_PACKAGE = "org.apache.kafka.connect.transforms."
PREDICATE_PACKAGE = f"{TRANSFORM_PACKAGE}predicates."
