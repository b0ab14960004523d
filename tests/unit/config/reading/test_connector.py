from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.config.output import TextLayout
from streamsink.config.reading.connector import parse_sink, validate_sink
from streamsink.config.reading.guarantee import guarantee
from streamsink.config.sink import (
    ArchiveValue,
    Converter,
    ExactlyOnce,
    ExtractorKind,
    FormatKind,
    LineRules,
    NullValues,
    PartitionerKind,
    Profile,
    RotationScope,
    SinkConfig,
)
from streamsink.config.vendors.profiles import CLASSES
from streamsink.errors import ConfigError
from streamsink.partition.pattern import Pattern
from streamsink.upload import options as upload

WORKER = {"bootstrap.servers": "broker:9092"}
CONFLUENT_AND_OURS = {
    "name": "x",
    "topics": "t",
    "archive.url": "s3://bucket",
    "storage.class": "x",
    "format.class": "parquet",
    "flush.size": "5",
}


def config_of(raw, worker=WORKER):
    return parse_sink(raw, worker)[0]


def keys_with_problems(raw, worker=WORKER):
    return [problem.key for problem in validate_sink(raw, worker).problems]


def problem_of(raw, key, worker=WORKER):
    found = [problem.message for problem in validate_sink(raw, worker).problems if problem.key == key]
    assert found, f"no problem with {key}"
    return " ".join(found)


def warnings_of(raw, worker=WORKER):
    return list(validate_sink(raw, worker).warnings)


def test_a_native_connector_has_the_seams_own_defaults(native):
    config = config_of(native())
    plain = SinkConfig("logs", "file:///tmp/archive", config.consumer, config.producer, topics=("logs",))
    assert config == plain


def test_a_native_connector_of_json_has_columns_and_bytes(native):
    config = config_of(native(value__converter="json"))
    assert config.archive_value is ArchiveValue.BOTH
    assert config.archive_envelope
    assert "columns only" not in guarantee(config, atomic_create=True)


def test_columns_alone_have_to_be_asked_for_and_say_what_they_give_up(native):
    config = config_of(native(value__converter="json", archive__value="columns"))
    assert config.archive_value is ArchiveValue.COLUMNS
    assert "Values are kept as columns only, without their bytes" in guarantee(config, atomic_create=True)


def test_bytes_that_a_transform_hides_are_not_kept_by_default(native):
    config = config_of(
        native(
            value__converter="json",
            transforms="hide",
            transforms__hide__type="org.apache.kafka.connect.transforms.MaskField$Value",
            transforms__hide__fields="card",
        )
    )
    assert config.archive_value is ArchiveValue.COLUMNS


def test_confluents_keys_give_confluents_files(confluent):
    config = config_of(confluent())
    assert config.profile is Profile.CONFLUENT
    assert config.archive_url == "s3://archive"
    assert config.archive_options == {"region": "eu-central-1", "path_style": "true"}
    assert (config.encoding.kind, config.encoding.raw_extension) == (FormatKind.RAW, ".json")
    assert config.lines == LineRules()
    assert config.rotation.scope is RotationScope.PARTITION
    assert (config.rotation.flush_size, config.rotation.age_ms, config.rotation.size_bytes) == (1000, None, None)
    assert not config.archive_envelope
    assert config.null_values is NullValues.FAIL
    assert config.archive_value is ArchiveValue.RAW
    assert not config.schemas_enable


def test_confluents_parquet_is_snappy(confluent):
    raw = confluent(format__class="io.confluent.connect.s3.format.parquet.ParquetFormat")
    assert config_of(raw).encoding.codec == "snappy"


def test_an_empty_confluent_configuration_lacks_all_its_required_keys():
    raw = {"connector.class": "io.confluent.connect.s3.S3SinkConnector"}
    found = keys_with_problems(raw)
    topics = {"topics", "topics.regex"}
    assert set(found) == {"name", *topics, "format.class", "storage.class", "s3.bucket.name", "flush.size"}
    assert len(found) == len(set(found))


def test_confluents_flush_size_may_be_absent_where_time_rotates(confluent):
    raw = confluent(flush__size=None, rotate__interval__ms="60000")
    assert config_of(raw).rotation.interval_ms == 60000


def test_an_s3_server_of_ones_own_is_found_by_confluents_keys(confluent):
    raw = confluent(store__url="http://127.0.0.1:9000", aws__access__key__id="id", aws__secret__access__key="secret")
    assert config_of(raw).archive_options == {
        "region": "eu-central-1",
        "path_style": "true",
        "endpoint": "http://127.0.0.1:9000",
        "access_key_id": "id",
        "secret_access_key": "secret",
    }


def test_confluents_store_keys_are_understood_beside_an_archive_url(native):
    raw = native(
        archive__url="s3://bucket/x", s3__region="eu-west-1", store__url="minio:9000", archive__option__region="here"
    )
    assert config_of(raw).archive_options == {"region": "here", "endpoint": "https://minio:9000"}


def test_two_places_for_one_archive_are_refused(native):
    assert "another place" in problem_of(native(s3__bucket__name="bucket"), "s3.bucket.name")


def test_google_and_azure_forms_are_profiles_as_well(confluent):
    google = confluent(
        connector__class="io.confluent.connect.gcs.GcsSinkConnector",
        format__class="io.confluent.connect.gcs.format.json.JsonFormat",
        s3__bucket__name=None,
        s3__region=None,
        gcs__bucket__name="bucket",
        gcs__credentials__path="/key.json",
    )
    azure = confluent(
        connector__class="io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector",
        format__class="io.confluent.connect.azure.blob.format.json.JsonFormat",
        s3__bucket__name=None,
        s3__region=None,
        storage__class=None,
        azblob__container__name="box",
        azblob__account__name="me",
        azblob__account__key="k",
    )
    assert config_of(google).archive_url == "gs://bucket"
    assert config_of(google).archive_options == {"service_account_path": "/key.json"}
    assert config_of(azure).archive_url == "az://box"
    assert config_of(azure).archive_options == {"account_name": "me", "account_key": "k"}


def test_aivens_keys_become_ours(aiven):
    config = config_of(aiven(aws__s3__prefix="kafka/", file__max__records="500", aws__s3__endpoint="http://s3:1"))
    assert config.profile is Profile.AIVEN
    assert config.archive_url == "s3://archive"
    assert config.archive_options["endpoint"] == "http://s3:1"
    assert config.archive_options["region"] == "us-east-1"
    assert (config.output.layout, config.encoding.codec) == (TextLayout.JSONL, "gzip")
    assert config.rotation.flush_size == 500
    assert config.naming.topics_dir == "kafka"
    assert config.naming.template == "{topic}-{partition}-{start_offset:20}.gz"


def test_aivens_rotation_follows_the_workers_flush_interval(aiven):
    assert config_of(aiven(), {**WORKER, "offset.flush.interval.ms": "5000"}).rotation.age_ms == 5000


def test_aivens_old_names_are_read(aiven):
    raw = aiven(aws__s3__bucket__name=None) | {"aws_s3_bucket": "old", "output_compression": "none"}
    assert config_of(raw).archive_url == "s3://old"
    assert config_of(raw).encoding.codec == "none"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format.output.fields", "colour"),
        ("file.name.template", "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=mm}}"),
        ("aws.s3.prefix", "{{utc_date}}/"),
        ("aws.s3.bucket.name", " "),
    ],
)
def test_what_of_aivens_cannot_be_honoured_is_an_error_naming_the_key(aiven, key, value):
    assert keys_with_problems({**aiven(), key: value}) == [key]


def test_a_real_configuration_of_aivens_is_taken_as_it_is(aiven):
    raw = aiven(
        format__output__type="parquet",
        format__output__envelope=None,
        format__output__fields="key,value,offset,timestamp,headers",
        file__name__template="{{topic}}/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/"
        "{{partition:padding=true}}-{{start_offset:padding=true}}.gz",
        file__name__timestamp__source="event",
        file__name__timestamp__timezone="Europe/Berlin",
        file__compression__type="zstd",
        file__max__records="10000",
        aws__s3__prefix="raw-",
        aws__s3__sse__algorithm="AES256",
        aws__sts__role__arn="arn:aws:iam::123456789012:role/sink",
    )
    config = config_of(raw)
    rules = config.partitioning
    assert config.naming.template == "raw-{topic}/{path:0}/{path:1}/{path:2}/{partition:10}-{start_offset:20}.gz"
    assert (config.archive_envelope, config.encoding.codec, config.naming.topics_dir) == (True, "zstd", "")
    assert (rules.kind, rules.path_format, rules.duration_ms) == (PartitionerKind.TIME, "yyyy/MM/dd", 86_400_000)
    assert (rules.timezone, rules.extractor) == ("Europe/Berlin", ExtractorKind.RECORD)
    assert config.archive_options["server_side_encryption"] == "AES256"
    told = " ".join(warnings_of(raw))
    assert "aws.sts.role.arn: " in told
    assert "At least once" in guarantee(
        config_of({**raw, "file.name.timestamp.source": "wallclock"}), atomic_create=True
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("behavior.on.null.values", "write"),
    ],
)
def test_what_of_confluents_cannot_be_honoured_is_an_error_naming_the_key(confluent, key, value):
    assert keys_with_problems({**confluent(), key: value}) == [key]


def test_keys_that_are_to_be_stored_are_in_the_envelope(confluent):
    assert config_of(confluent(store__kafka__keys="true")).archive_envelope


def test_confluents_tombstones_are_written_with_the_envelope(confluent):
    raw = confluent(behavior__on__null__values="write", archive__envelope="true")
    assert config_of(raw).null_values is NullValues.WRITE


def test_keys_at_their_defaults_are_neither_errors_nor_warnings(confluent):
    raw = confluent(store__kafka__keys="false", s3__part__size="26214400", rotate__schedule__interval__ms="-1")
    raw["schema.generator.class"] = "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator"
    told = " ".join(warnings_of(raw))
    assert "s3.part.size" not in told
    assert "schema.generator.class" not in told


def test_tuning_without_effect_is_warned_of(confluent):
    told = "s3.part.size: has no effect here: an object is stored by one request"
    assert told in warnings_of(confluent(s3__part__size="5242880"))


def test_files_close_where_the_folder_changes_if_that_is_asked_for(confluent):
    asked = confluent(rotate__file__on__partition__change="true")
    assert "rotate.file.on.partition.change: has no effect without" in " ".join(warnings_of(asked))
    assert config_of({**asked, "rotate.interval.ms": "60000"}).rotation.on_folder_change
    assert not config_of(confluent(rotate__interval__ms="60000")).rotation.on_folder_change


def test_how_long_a_registry_may_be_away_is_connects_key(native):
    assert config_of(native()).errors.retry_timeout_ms is None
    assert config_of(native(errors__retry__timeout="-1")).errors.retry_timeout_ms == -1


def test_a_drain_that_would_outlast_the_groups_patience_is_bounded_and_warned_of(native):
    raw = native(drain__timeout__ms="60000") | {"consumer.override.max.poll.interval.ms": "50000"}
    assert config_of(raw).revoke_timeout_ms == 30_000
    [said] = [said for said in warnings_of(raw) if said.startswith("drain.timeout.ms")]
    assert said.endswith("is drained for 30000 ms at most, six tenths of max.poll.interval.ms")
    assert config_of(native()).revoke_timeout_ms == 30_000
    assert "drain.timeout.ms" not in " ".join(warnings_of(native()))


def test_an_unknown_key_is_a_warning_with_the_nearest_name(native):
    assert warnings_of(native(fluhs__size="10")) == ["fluhs.size: unknown key, is flush.size meant?"]
    assert warnings_of(native(frobnicate="10")) == ["frobnicate: unknown key, it has no effect"]


def test_keys_that_others_define_are_passed_over_in_silence(native):
    raw = native() | {
        "consumer.override.fetch.min.bytes": "1",
        "producer.override.linger.ms": "5",
        "s3.credentials.provider.role": "z",
    }
    assert warnings_of(raw) == []


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ({"value.converter.decimal.format": "NUMERIC"}, "decimal.format: has no effect on json values"),
        ({"value.converter.encoding": "latin1"}, "encoding: has no effect, texts are read as UTF-8"),
        (
            {"value.converter.schemas.enable": "false", "value.converter.replace.null.with.default": "false"},
            "replace.null.with.default: has no effect on json values, whose schemas are not in them",
        ),
    ],
)
def test_a_converters_setting_that_changes_nothing_is_warned_of(native, more, warning):
    assert warnings_of(native(value__converter="json") | more) == [f"value.converter.{warning}"]


@pytest.mark.parametrize("converter", ["avro", "protobuf", "jsonschema"])
def test_a_setting_of_a_registrys_converter_that_changes_nothing_is_warned_of(native, converter):
    registry = {
        "value.converter.schema.registry.url": "http://registry:8081",
        "value.converter.auto.register.schemas": "false",
    }
    raw = native(value__converter=converter) | registry
    assert warnings_of(raw) == []
    key = "value.converter.enhanced.avro.schema.support"
    assert warnings_of(raw | {key: "true"}) == [f"{key}: has no effect on {converter} values"]


def test_nulls_may_stay_where_json_brings_its_schema(native):
    more = {"value.converter.schemas.enable": "true", "value.converter.replace.null.with.default": "false"}
    config, warnings = parse_sink(native(value__converter="json") | more, WORKER)
    assert not config.replace_null_with_default
    assert warnings == []


def test_a_near_miss_behind_a_known_prefix_is_warned_of(native):
    assert warnings_of(native(errors__tolerence="all")) == ["errors.tolerence: unknown key, is errors.tolerance meant?"]


def test_all_errors_come_at_once(native):
    raw = native(flush__size="many", topics=None, archive__url="ftp://x", parquet__codec="rar", memory__bytes__max="1")
    with pytest.raises(ConfigError) as raised:
        parse_sink(raw, WORKER)
    keys = {problem.key for problem in raised.value.problems}
    assert keys == {"flush.size", "topics", "topics.regex", "archive.url", "parquet.codec", "memory.bytes.max"}
    assert raised.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "a/b"),
        ("name", ".."),
        ("name", "a\nb"),
        ("name", ""),
        ("connector.class", "com.example.Nothing"),
        ("connector.class", ""),
        ("topics", "a b"),
        ("tasks.max", "0"),
        ("archive.url", ""),
        ("archive.url", "/var/archive"),
        ("archive.url", "file://relative"),
        ("archive.url", "file:///a/../b"),
        ("archive.url", "s4://bucket"),
        ("archive.url", "s3://"),
        ("archive.url", "s3://user:secret@bucket"),
        ("archive.url", "http://["),
        ("archive.option.region", "x"),
        ("partitioner.class", "random"),
        ("format.class", "xml"),
        ("value.converter", "org.apache.kafka.connect.converters.LongConverter"),
        ("value.converter", "com.example.Odd"),
        ("key.converter", "com.example.Odd"),
        ("archive.value", "everything"),
        ("value.schema", "{"),
        ("value.schema", '{"type":"string"}'),
        ("value.schema", '{"type":"struct","fields":[{"type":"string"}]}'),
        ("value.schema", '{"type":"struct","fields":[{"field":["a"],"type":"string"}]}'),
        ("value.schema", "[" * 100_000),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../etc"),
        ("timestamp.extractor", "Guess"),
        ("topics.dir", "/abs"),
        ("topics.dir", "a/../b"),
        ("file.delim", "/"),
        ("filename.offset.zero.pad.width", "-1"),
        ("rotate.size.bytes", "0"),
        ("rotate.age.ms", "-2"),
        ("rotation.scope", "world"),
        ("exactly.once", "maybe"),
        ("behavior.on.null.values", "explode"),
        ("memory.bytes.max", "1000"),
        ("compression.type", "gzip"),
        ("compression.level", "23"),
        ("errors.tolerance", "some"),
        ("errors.deadletterqueue.topic.name", "logs"),
        ("format.bytearray.extension", "bin"),
        ("consumer.override.sasl.jaas.config", "com.example.Login required;"),
        ("consumer.override.ssl.truststore.location", "/trust.jks"),
    ],
)
def test_an_unusable_value_is_one_error_naming_the_key(native, key, value):
    assert keys_with_problems({**native(), key: value}) == [key]


@pytest.mark.parametrize("changes", [{"topics": ""}, {"topics.regex": "x.*"}], ids=["neither", "both"])
def test_topics_and_a_pattern_are_named_together_as_connect_does(native, changes):
    assert keys_with_problems({**native(), **changes}) == ["topics", "topics.regex"]


def test_no_secret_of_a_url_is_repeated(native):
    assert "secret" not in problem_of(native(archive__url="s3://user:secret@bucket"), "archive.url")


def test_a_dead_letter_topic_that_the_regex_takes_in_is_refused(native):
    raw = native(topics=None, topics__regex="ev.*", errors__deadletterqueue__topic__name="events-dead")
    assert keys_with_problems(raw) == ["errors.deadletterqueue.topic.name"]


def test_a_dead_letter_topic_without_tolerance_is_warned_of(native):
    assert "nothing goes there" in warnings_of(native(errors__deadletterqueue__topic__name="dead"))[0]


def test_error_handling_is_read(native):
    errors = config_of(
        native(
            errors__tolerance="all",
            errors__deadletterqueue__topic__name="dead",
            errors__deadletterqueue__context__headers__enable="true",
            errors__deadletterqueue__topic__replication__factor="1",
            errors__log__enable="true",
        )
    ).errors
    assert errors.tolerate_all
    assert errors.dead_letter_topic == "dead"
    assert errors.dead_letter_headers
    assert errors.dead_letter_replication_factor == 1
    assert errors.log


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("field", {"partition.field.name"}), ("time", {"path.format", "partition.duration.ms"}), ("hourly", set()),
     ("fieldtime", {"partition.field.name", "path.format", "partition.duration.ms"})],
)  # fmt: skip
def test_a_partitioner_needs_its_keys(native, kind, missing):
    assert set(keys_with_problems(native(partitioner__class=kind))) == missing


def test_hourly_and_daily_have_confluents_paths(native):
    hourly = config_of(native(partitioner__class="hourly")).partitioning
    daily = config_of(
        native(partitioner__class="io.confluent.connect.storage.partitioner.DailyPartitioner")
    ).partitioning
    assert (hourly.kind, hourly.duration_ms) == (PartitionerKind.HOURLY, 3_600_000)
    assert hourly.path_format == "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"
    assert (daily.path_format, daily.duration_ms) == ("'year'=YYYY/'month'=MM/'day'=dd", 86_400_000)


def test_confluents_time_partitioner_needs_locale_and_timezone(confluent):
    raw = confluent(
        partitioner__class="io.confluent.connect.storage.partitioner.HourlyPartitioner", timestamp__extractor="Record"
    )
    assert set(keys_with_problems(raw)) == {"locale", "timezone"}


def test_a_schedule_needs_a_timezone_with_confluent_and_has_utc_with_us(native, confluent):
    assert "timezone" in keys_with_problems(confluent(rotate__schedule__interval__ms="3600000"))
    assert config_of(native(rotate__schedule__interval__ms="3600000")).rotation.timezone == "UTC"


@pytest.mark.parametrize("pattern", ["'open", "yyyy/b", "../yyyy", "yyyy\\MM"])
def test_a_date_pattern_is_checked(native, pattern):
    raw = native(partitioner__class="time", path__format=pattern, partition__duration__ms="1000")
    assert keys_with_problems(raw) == ["path.format"]


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_pattern_letters_are_the_ones_that_the_partitioner_knows(native, letter):
    try:
        Pattern(letter)
    except ValueError:
        known = False
    else:
        known = True
    raw = native(partitioner__class="time", path__format=letter, partition__duration__ms="1000")
    assert (keys_with_problems(raw) == []) == known


def test_words_of_another_language_are_refused_and_its_numbers_are_not(native):
    raw = native(partitioner__class="time", path__format="yyyy/MM", partition__duration__ms="1000", locale="de-DE")
    assert keys_with_problems(raw) == []
    assert keys_with_problems(raw | {"path.format": "yyyy/MMM"}) == ["locale"]


def test_wallclock_is_an_error_where_exactly_once_is_required(native):
    raw = native(partitioner__class="hourly", timestamp__extractor="Wallclock")
    assert "can't be exactly once" in warnings_of(raw)[0]
    assert keys_with_problems(raw | {"exactly.once": "required"}) == ["timestamp.extractor"]


def test_wallclock_does_not_matter_where_no_folder_is_made_of_time(confluent):
    config = config_of(confluent(exactly__once="required"))
    assert config.exactly_once is ExactlyOnce.REQUIRED
    assert config.partitioning.extractor is ExtractorKind.WALLCLOCK


def test_extractors_have_confluents_class_names(native):
    name = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordFieldTimestampExtractor"
    raw = native(timestamp__extractor=name, timestamp__field="at")
    assert config_of(raw).partitioning.extractor is ExtractorKind.RECORD_FIELD
    assert config_of(raw).partitioning.timestamp_field == "at"


@pytest.mark.parametrize("off", ["-1", "", " "])
def test_a_limit_is_off_at_minus_one_and_when_empty(native, off):
    rotation = config_of(native(rotate__age__ms=off, rotate__size__bytes="1000")).rotation
    assert rotation.age_ms is None
    assert rotation.size_bytes == 1000


def test_at_least_one_limit_always_holds(native):
    assert keys_with_problems(native(rotate__age__ms="", rotate__size__bytes="-1")) == ["rotate.age.ms"]


def test_every_limit_is_read(native):
    raw = native(
        flush__size="1",
        rotate__size__bytes="2",
        rotate__age__ms="3",
        rotate__interval__ms="4",
        rotate__schedule__interval__ms="5",
        partitioner__max__open__files="6",
        rotation__scope="PARTITION",
        timezone="Europe/Berlin",
    )
    rotation = config_of(raw).rotation
    assert (rotation.flush_size, rotation.size_bytes, rotation.age_ms) == (1, 2, 3)
    assert (rotation.interval_ms, rotation.schedule_interval_ms, rotation.files_open_max) == (4, 5, 6)
    assert (rotation.scope, rotation.timezone) == (RotationScope.PARTITION, "Europe/Berlin")


def test_a_quiet_topic_that_would_wait_is_warned_of(native):
    assert "falls quiet" in warnings_of(native(rotate__age__ms="-1"))[0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("json", Converter.JSON),
        ("STRING", Converter.STRING),
        ("org.apache.kafka.connect.converters.ByteArrayConverter", Converter.BYTES),
        ("org.apache.kafka.connect.storage.StringConverter", Converter.STRING),
    ],
)
def test_converters_have_short_names_and_connects_class_names(native, text, kind):
    assert config_of(native(value__converter=text)).value_converter is kind


def test_connects_json_converter_expects_schemas_as_in_connect_and_the_short_name_does_not(native):
    name = "org.apache.kafka.connect.json.JsonConverter"
    assert config_of(native(value__converter=name)).schemas_enable
    assert not config_of(native(value__converter="json")).schemas_enable
    assert config_of(native(value__converter="json", value__converter__schemas__enable="true")).schemas_enable


def test_the_workers_converter_is_used_with_the_workers_options(native):
    worker = {**WORKER, "value.converter": "json", "value.converter.schemas.enable": "true"}
    assert config_of(native(), worker).schemas_enable
    assert not config_of(native(value__converter="json"), worker).schemas_enable
    assert "worker's" in problem_of(native(), "value.converter", {**WORKER, "value.converter": "avor"})


def test_keys_of_a_converter_that_is_not_built_stay_bytes_and_that_is_said(native):
    raw = native(key__converter="io.confluent.connect.avro.AvroConverter")
    assert config_of(raw).key_converter is Converter.BYTES
    assert "kept as bytes" in warnings_of(raw)[0]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"archive.value": "columns"}, "value.converter"),
        ({"format.class": "raw", "archive.value": "columns", "value.converter": "json"}, "archive.value"),
        ({"archive.value": "both", "archive.envelope": "false", "value.converter": "json"}, "archive.value"),
        ({"s3.compression.type": "gzip"}, "s3.compression.type"),
        ({"format.class": "jsonl", "compression.type": "gzip", "s3.compression.type": "zstd"}, "s3.compression.type"),
        ({"parquet.codec": "lz4", "compression.level": "3"}, "compression.level"),
        ({"format.class": "avro", "avro.codec": "deflate", "compression.level": "12"}, "compression.level"),
        ({"archive.url": "s3://b", "archive.option.access_key_id": "x"}, "aws.access.key.id"),
        ({"archive.url": "s3://b", "archive.option.regoin": "x"}, "archive.option.regoin"),
        ({"archive.url": "s3://b", "archive.option.path_style": "x"}, "archive.option.path_style"),
    ],
)
def test_keys_that_contradict_each_other_are_an_error(native, changes, key):
    assert keys_with_problems({**native(), **changes}) == [key]


def test_codecs_and_levels_are_read(native):
    parquet = config_of(native(compression__level="9")).encoding
    lines = config_of(native(format__class="jsonl", s3__compression__type="gzip", s3__compression__level="9")).encoding
    avro = config_of(native(format__class="avro", avro__codec="null")).encoding
    plain = config_of(native(parquet__codec="uncompressed")).encoding
    assert (parquet.codec, parquet.level) == ("zstd", 9)
    assert (lines.codec, lines.level) == ("gzip", 9)
    assert (avro.codec, avro.level) == ("null", None)
    assert plain.codec == "none"


def test_raw_objects_keep_values_as_they_are_whatever_the_converter(confluent):
    raw = confluent(format__class="io.confluent.connect.s3.format.bytearray.ByteArrayFormat")
    assert config_of(raw).archive_value is ArchiveValue.RAW


def test_json_lines_of_strings_are_confluents_lines(confluent):
    raw = confluent(value__converter="org.apache.kafka.connect.storage.StringConverter")
    assert config_of(raw).lines == LineRules()
    assert config_of(raw | {"archive.value": "raw"}).lines is None


def test_values_that_a_transform_changes_become_columns_first(confluent):
    raw = confluent(transforms="hide", transforms__hide__type="org.apache.kafka.connect.transforms.MaskField$Value")
    config = config_of({**raw, "transforms.hide.fields": "card"})
    assert (config.lines, config.encoding.kind) == (None, FormatKind.JSONL)


def test_a_topic_named_twice_is_read_once(native):
    assert config_of(native(topics="b, a, b")).topics == ("b", "a")


def test_a_broken_value_is_not_told_a_second_time_by_what_follows_from_it(confluent):
    assert keys_with_problems(confluent(flush__size="x")) == ["flush.size"]


@pytest.mark.parametrize(
    "name",
    ["ArchiveSink", "streamsink.ArchiveSink", "S3SinkConnector", "S3Sink", "io.confluent.connect.s3.S3SinkConnector"],
)
def test_a_class_goes_by_its_full_and_its_short_name(native, confluent, name):
    raw = confluent() if "S3" in name else native()
    assert keys_with_problems(raw | {"connector.class": name}) == []


def test_confluents_encryption_and_proxy_keys_are_the_stores_options(confluent):
    said = {"s3.ssea.name": "aws:kms", "s3.sse.kms.key.id": "key-1", "s3.proxy.url": "http://proxy:3128"}
    options = config_of({**confluent(), **said}).archive_options
    assert options["server_side_encryption"] == "aws:kms"
    assert (options["sse_kms_key_id"], options["proxy_url"]) == ("key-1", "http://proxy:3128")


@pytest.mark.parametrize(
    ("scheme", "known"),
    [
        ("s3", upload.S3_OPTIONS),
        ("gs", upload.GCS_OPTIONS),
        ("az", upload.AZURE_OPTIONS),
        ("sj", upload.STORJ_OPTIONS),
        ("webdav+https", upload.WEBDAV_OPTIONS),
    ],
)
def test_options_of_stores_are_the_ones_that_stores_take(native, scheme, known):
    raw = native(archive__url=f"{scheme}://bucket")
    flags = ("path_style", "allow_http", "sse_bucket_key", "tag_offsets")
    values = {**dict.fromkeys(flags, "true"), "timeout_s": "5"}
    options = {name: values.get(name, "x") for name in known}
    config = config_of(raw | {f"archive.option.{name}": value for name, value in options.items()})
    assert config.archive_options == options


TEXTS = (
    *("", " ", "-1", "0", "7", "9" * 25, "true", "json", "columns", "both", "raw", "avro", "time", "Wallclock"),
    *("required", "(", "s3://b:99999999/x", "http://[", "a..b", ",", "'", "\x00", "\ud800"),
    '{"type":"struct","fields":[1]}',
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(CLASSES),
    changes=st.dictionaries(
        st.sampled_from(sorted({key.name for one in CLASSES for key in one.definition})),
        st.sampled_from(TEXTS) | st.text(max_size=8),
        max_size=6,
    ),
)
def test_whatever_the_texts_are_the_answer_is_a_configuration_or_problems(kind, changes):
    raw = {**CONFLUENT_AND_OURS, "connector.class": kind.name, **changes}
    report = validate_sink(raw, WORKER)
    assert (report.config is None) == bool(report.problems)
    assert all(problem.key and problem.message for problem in report.problems)


REGISTRY = {
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "http://registry:8081",
}


def test_a_converter_with_a_registry_makes_columns_and_has_its_clients_properties(native):
    found = config_of(
        native()
        | REGISTRY
        | {
            "value.converter.basic.auth.credentials.source": "USER_INFO",
            "value.converter.basic.auth.user.info": "me:secret",
            "value.converter.schema.registry.ssl.truststore.location": "/ca.pem",
            "value.converter.value.subject.name.strategy": "io.confluent.kafka.serializers.subject.RecordNameStrategy",
            "schema.compatibility": "backward",
        }
    )
    assert found.value_converter is Converter.AVRO
    assert found.archive_value is ArchiveValue.BOTH
    assert found.schema_compatibility.value == "BACKWARD"
    assert found.value_registry.strategy.value == "RecordNameStrategy"
    assert found.value_registry.properties == {
        "url": "http://registry:8081",
        "basic.auth.user.info": "me:secret",
        "ssl.ca.location": "/ca.pem",
    }


def test_the_workers_converter_brings_the_workers_registry(native):
    found = config_of(native(), {**WORKER, **REGISTRY})
    assert found.value_registry.properties == {"url": "http://registry:8081"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"value.converter.schema.registry.url": ""}, "schema.registry.url"),
        ({"value.converter.schema.registry.url": "registry:8081"}, "schema.registry.url"),
        ({"value.converter.basic.auth.credentials.source": "USER_INFO"}, "basic.auth.user.info"),
        ({"value.converter.value.subject.name.strategy": "MyStrategy"}, "value.subject.name.strategy"),
    ],
)
def test_a_registry_that_can_not_be_used_is_an_error_naming_the_key(native, changes, key):
    assert problem_of(native() | REGISTRY | changes, f"value.converter.{key}")


@pytest.mark.parametrize("converter", ["bytes", "string"])
def test_folders_of_fields_are_refused_where_values_have_none(native, converter):
    by_field = {"partitioner__class": "field", "partition__field__name": "country", "value__converter": converter}
    (problem,) = validate_sink(native(**by_field), {}).problems
    assert (problem.key, "values have none" in problem.message) == ("partition.field.name", True)
    by_time = {"partitioner__class": "daily", "timestamp__extractor": "RecordField", "timestamp__field": "at"}
    assert [one.key for one in validate_sink(native(**by_time), {}).problems] == ["timestamp.field"]
    assert validate_sink(native(**by_field | {"partition__field__name": "_kafka.key"}), {}).problems == ()


def test_a_misspelt_value_is_told_with_the_one_that_is_meant(native):
    wrong = {"partitioner.class": "horly", "value.converter": "jsn", "format.class": "papyrus"}
    with pytest.raises(ConfigError) as failure:
        parse_sink(native() | wrong, WORKER)
    said = {problem.key: problem.message for problem in failure.value.problems}
    assert said["partitioner.class"].startswith("'horly' is unknown; is hourly meant?")
    assert said["value.converter"].startswith("'jsn' is unknown; is json meant?")
    assert said["format.class"].startswith("'papyrus' is unknown; known are parquet")
