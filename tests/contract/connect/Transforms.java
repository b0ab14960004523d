import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/** Runs Kafka Connect's own transforms on cases from standard input, one JSON document a line, and says what came out. */
public class Transforms {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final SimpleHeaderConverter HEADERS = new SimpleHeaderConverter();

    private record Step(Transformation<SinkRecord> transform, Predicate<SinkRecord> predicate, boolean negate) { }

    public static void main(String[] arguments) throws Exception {
        HEADERS.configure(Map.of("converter.type", "header"));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(run(JSON.readTree(line))));
        }
        out.flush();
    }

    private static ArrayNode run(JsonNode one) throws Exception {
        List<Step> steps = new ArrayList<>();
        for (JsonNode step : one.get("steps")) {
            Transformation<SinkRecord> transform = make(step.get("class").asText());
            transform.configure(texts(step.get("settings")));
            Predicate<SinkRecord> predicate = null;
            if (step.hasNonNull("predicate")) {
                predicate = make(step.get("predicate").get("class").asText());
                predicate.configure(texts(step.get("predicate").get("settings")));
            }
            steps.add(new Step(transform, predicate, step.path("negate").asBoolean()));
        }
        ArrayNode results = JSON.createArrayNode();
        for (JsonNode record : one.get("records")) {
            ObjectNode result = results.addObject();
            try {
                SinkRecord after = read(one, record);
                for (Step step : steps) {
                    if (step.predicate() == null || step.predicate().test(after) != step.negate()) {
                        after = step.transform().apply(after);
                    }
                    if (after == null) {
                        break;
                    }
                }
                write(after, result);
            } catch (RuntimeException error) {
                result.removeAll();
                result.put("error", error.toString());
            }
        }
        return results;
    }

    @SuppressWarnings("unchecked")
    private static <T> T make(String name) throws Exception {
        return (T) Class.forName(name).getDeclaredConstructor().newInstance();
    }

    private static Map<String, String> texts(JsonNode node) {
        Map<String, String> map = new HashMap<>();
        node.fields().forEachRemaining(entry -> map.put(entry.getKey(), entry.getValue().asText()));
        return map;
    }

    private static SinkRecord read(JsonNode one, JsonNode record) {
        SchemaAndValue key = convert(record.get("key"), one.get("schemas").asBoolean(), true);
        SchemaAndValue value = convert(record.get("value"), one.get("schemas").asBoolean(), false);
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : record.get("headers")) {
            byte[] bytes = header.get(1).asText().getBytes(StandardCharsets.UTF_8);
            headers.add(header.get(0).asText(), HEADERS.toConnectHeader("t", header.get(0).asText(), bytes));
        }
        JsonNode time = record.get("timestamp");
        return new SinkRecord(record.get("topic").asText(), record.get("partition").asInt(), key.schema(), key.value(),
            value.schema(), value.value(), record.get("offset").asLong(), time.isNull() ? null : time.asLong(),
            time.isNull() ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, headers);
    }

    private static SchemaAndValue convert(JsonNode text, boolean schemas, boolean isKey) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", String.valueOf(schemas)), isKey);
        return converter.toConnectData("t", text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8));
    }

    private static void write(SinkRecord record, ObjectNode result) {
        if (record == null) {
            result.put("dropped", true);
            return;
        }
        result.put("topic", record.topic());
        result.set("key", told(record.key()));
        result.set("value", told(record.value()));
        result.set("key_schema", schema(record.keySchema()));
        result.set("value_schema", schema(record.valueSchema()));
        ArrayNode headers = result.putArray("headers");
        for (Header header : record.headers()) {
            byte[] bytes = HEADERS.fromConnectHeader("t", header.key(), header.schema(), header.value());
            ArrayNode pair = headers.addArray().add(header.key());
            if (bytes == null) {
                pair.addNull();
            } else {
                pair.add(new String(bytes, StandardCharsets.UTF_8));
            }
        }
    }

    private static JsonNode told(Object value) {
        if (value instanceof Struct struct) {
            ObjectNode node = JSON.createObjectNode();
            for (Field field : struct.schema().fields()) {
                node.set(field.name(), told(struct.get(field)));
            }
            return node;
        }
        if (value instanceof Map<?, ?> map) {
            ObjectNode node = JSON.createObjectNode();
            map.forEach((key, member) -> node.set(String.valueOf(key), told(member)));
            return node;
        }
        if (value instanceof List<?> list) {
            ArrayNode node = JSON.createArrayNode();
            list.forEach(member -> node.add(told(member)));
            return node;
        }
        if (value instanceof ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            return told(bytes);
        }
        if (value instanceof byte[] bytes) {
            return JSON.getNodeFactory().textNode("bytes:" + Base64.getEncoder().encodeToString(bytes));
        }
        if (value instanceof Date date) {
            return JSON.getNodeFactory().textNode("date:" + date.getTime());
        }
        if (value instanceof BigDecimal decimal) {
            return JSON.getNodeFactory().textNode("decimal:" + decimal.stripTrailingZeros().toPlainString());
        }
        return JSON.valueToTree(value);
    }

    private static JsonNode schema(Schema schema) {
        if (schema == null) {
            return JSON.getNodeFactory().nullNode();
        }
        ObjectNode node = JSON.createObjectNode();
        boolean logical = schema.name() != null && schema.name().startsWith("org.apache.kafka.connect.data.");
        node.put("type", logical ? schema.name().substring(30) : schema.type().getName());
        switch (schema.type()) {
            case STRUCT -> {
                ObjectNode fields = node.putObject("fields");
                schema.fields().forEach(field -> fields.set(field.name(), schema(field.schema())));
            }
            case ARRAY -> node.set("items", schema(schema.valueSchema()));
            case MAP -> node.set("values", schema(schema.valueSchema()));
            default -> { }
        }
        return node;
    }
}
