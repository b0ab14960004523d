from __future__ import annotations

from pathlib import Path

import pytest

import streamsink
from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.files import load_connectors, load_worker, read_flat
from streamsink.errors import ConfigError

BROKERS = {"STREAMSINK_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}
EXAMPLES = Path(streamsink.__file__).parents[1] / "connectors.d"


def test_every_kind_of_file_is_a_connector_named_after_itself_or_by_name(tmp_path):
    (tmp_path / "a.yaml").write_text("topics: t\n")
    (tmp_path / "b.yml").write_text("name: other\n")
    (tmp_path / "c.json").write_text('{"topics": "t"}')
    (tmp_path / "d.properties").write_text("topics=t\n")
    (tmp_path / "e.yaml.example").write_text("{")
    (tmp_path / ".f.yaml").write_text("{")
    (tmp_path / "g.yaml").mkdir()
    found = load_connectors(tmp_path)
    assert sorted(found) == ["a", "c", "d", "other"]
    assert found["other"].config == {"name": "other"}
    assert found["a"].config == {"topics": "t", "name": "a"}
    assert not any(file.problem for file in found.values())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.yaml", b"a: 1\nb: {c: 1}\n", "x.yaml:2: b has a nested map"),
        ("x.json", b"{", "x.json:1: is not JSON"),
        ("x.properties", b"a=1\na=2\n", "x.properties:2: a is given twice"),
        ("x.yaml", b"a: \xff\n", "is not UTF-8 text"),
        ("x.yaml", b"", "defines nothing"),
        ("x.yaml", b"name: a/b\n", "which a name can't"),
        ("x.yaml", b"a: " + b"y" * 1024 * 1024, "is larger than"),
    ],
)
def test_one_broken_file_is_a_problem_of_its_own(tmp_path, name, content, said):
    (tmp_path / "good.yaml").write_text("topics: t\n")
    (tmp_path / name).write_bytes(content)
    found = load_connectors(tmp_path)
    assert sorted(found) == ["good", "x"]
    assert said in found["x"].problem
    assert not found["x"].config
    assert not found["good"].problem


def test_a_name_that_several_files_claim_is_nobodys(tmp_path):
    (tmp_path / "a.yaml").write_text("topics: t\n")
    (tmp_path / "b.yaml").write_text("name: a\n")
    (tmp_path / "c.yaml").write_text("name: a\n")
    (tmp_path / "d.yaml").write_text("topics: t\n")
    found = load_connectors(tmp_path)
    assert sorted(found) == ["a", "d"]
    assert "a.yaml and b.yaml and c.yaml" in found["a"].problem
    assert not found["a"].config


def test_a_broken_file_does_not_take_the_name_of_a_good_one(tmp_path):
    (tmp_path / "a.yaml").write_text("{")
    (tmp_path / "b.yaml").write_text("name: a\n")
    found = load_connectors(tmp_path)
    assert found["a"].config == {"name": "a"}
    assert found["a.yaml"].problem


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    path = tmp_path / "a.properties"
    path.write_bytes(b"\xef\xbb\xbfa=1\n")
    assert read_flat(path) == {"a": "1"}


def test_a_worker_that_only_knows_its_brokers_has_defaults():
    worker = load_worker(None, BROKERS)
    assert worker.bootstrap_servers == "127.0.0.1:9092"
    assert worker.listeners == "http://127.0.0.1:8083"
    assert not worker.distributed
    assert (worker.key_converter, worker.value_converter) == ("bytes", "bytes")
    assert worker.raw == {"bootstrap.servers": "127.0.0.1:9092", "listeners": "http://127.0.0.1:8083"}
    assert worker.warnings == ()


def test_the_environment_goes_over_the_file_and_the_file_over_defaults(tmp_path):
    path = tmp_path / "worker.yaml"
    path.write_text("bootstrap.servers: [a:1, b:2]\nlisteners: http://127.0.0.1:1\nvalue.converter: json\n")
    environ = {
        "STREAMSINK_LISTENERS": "http://0.0.0.0:2",
        "STREAMSINK_SASL_JAAS_CONFIG": "x",
        "STREAMSINK_CONSUMER_FETCH_MIN_BYTES": "7",
        "HOME": "/",
    }
    worker = load_worker(path, environ)
    assert worker.bootstrap_servers == "a:1,b:2"
    assert worker.listeners == "http://0.0.0.0:2"
    assert worker.value_converter == "json"
    assert worker.raw["sasl.jaas.config"] == "x"
    assert worker.raw["consumer.fetch.min.bytes"] == "7"


def test_variables_that_kubernetes_sets_are_none_of_the_workers():
    environ = {"STREAMSINK_SERVICE_HOST": "10.0.0.1", "STREAMSINK_PORT_8083_TCP": "x", "STREAMSINK_URL": "http://x"}
    worker = load_worker(None, {**environ, **BROKERS})
    assert set(worker.raw) == {"bootstrap.servers", "listeners"}
    assert worker.warnings == ()


def test_a_nearly_right_variable_or_key_is_warned_of(tmp_path):
    path = tmp_path / "worker.properties"
    path.write_text("bootstrap.server=h:1\nzzz=1\nplugin.path=/x\nconsumer.fetch.min.bytes=1\n")
    worker = load_worker(path, {"STREAMSINK_LISTENER": "x", **BROKERS})
    assert set(worker.warnings) == {
        "STREAMSINK_LISTENER: unknown variable, is STREAMSINK_LISTENERS meant?",
        "bootstrap.server: unknown key, is bootstrap.servers meant?",
        "zzz: unknown key, it has no effect",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bootstrap.servers", "host"),
        ("bootstrap.servers", "host:70000"),
        ("bootstrap.servers", " "),
        ("log.level", "LOUD"),
        ("task.shutdown.graceful.timeout.ms", "soon"),
        ("security.protocol", "TLS"),
    ],
)
def test_an_unusable_worker_key_is_an_error_naming_it(tmp_path, key, value):
    path = tmp_path / "worker.yaml"
    path.write_text("".join(f"{name}: '{text}'\n" for name, text in {"bootstrap.servers": "h:1", key: value}.items()))
    with pytest.raises(ConfigError) as raised:
        load_worker(path, {})
    assert [problem.key for problem in raised.value.problems] == [key]


def test_brokers_are_never_guessed():
    with pytest.raises(ConfigError) as raised:
        load_worker(None, {"STREAMSINK_LOG_LEVEL": "LOUD"})
    assert {problem.key for problem in raised.value.problems} == {"bootstrap.servers", "log.level"}


def test_a_missing_worker_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_worker(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="is none of"):
        load_worker(tmp_path / "worker.toml", {})


def test_every_example_runs_as_it_is():
    worker = load_worker(None, BROKERS)
    found = load_connectors(EXAMPLES)
    assert len(found) >= 2
    for file in found.values():
        assert not file.problem
        report = validate_sink(file.config, worker.raw)
        assert (report.problems, report.warnings) == ((), ()), file.path
        assert report.config is not None
        assert report.config.consumer["bootstrap.servers"] == "127.0.0.1:9092"


def test_examples_to_be_renamed_are_right_as_well(tmp_path):
    templates = list(EXAMPLES.glob("*.example"))
    assert templates
    for template in templates:
        copy = tmp_path / template.stem
        copy.write_text(template.read_text())
    for file in load_connectors(tmp_path).values():
        report = validate_sink(file.config, {})
        assert (report.problems, report.warnings) == ((), ()), file.path


def test_a_worker_without_brokers_asks_for_them_with_the_key_and_where_it_goes():
    with pytest.raises(ConfigError, match=r"^bootstrap\.servers: .*HOST:9092.*--config.*STREAMSINK_BOOTSTRAP_SERVERS"):
        load_worker(None, {})
