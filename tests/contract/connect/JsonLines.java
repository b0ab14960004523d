// What Confluent's JsonFormat writes of a value that Kafka's own JsonConverter has read: a line of JSON for each case.
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;

public class JsonLines {
    static final ObjectMapper MAPPER = new ObjectMapper();

    static JsonConverter converter(boolean schemas, boolean numeric) {
        JsonConverter made = new JsonConverter();
        made.configure(
            Map.of("schemas.enable", String.valueOf(schemas), "decimal.format", numeric ? "NUMERIC" : "BASE64"), false);
        return made;
    }

    static byte[] written(SchemaAndValue read, boolean numeric) throws Exception {
        if (read.value() instanceof Struct) {
            return converter(false, numeric).fromConnectData("t", read.schema(), read.value());
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator generator = MAPPER.getFactory().createGenerator(out).setCodec(MAPPER)) {
            generator.writeObject(read.value());
        }
        return out.toByteArray();
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        JsonConverter plain = converter(false, false);
        JsonConverter enveloped = converter(true, false);
        for (String line; (line = in.readLine()) != null; ) {
            JsonNode asked = MAPPER.readTree(line);
            ObjectNode answer = MAPPER.createObjectNode();
            try {
                byte[] value = Base64.getDecoder().decode(asked.get("value").asText());
                SchemaAndValue read = (asked.get("schemas").asBoolean() ? enveloped : plain).toConnectData("t", value);
                if (read.value() == null) {
                    answer.put("null", true);
                } else {
                    byte[] bytes = written(read, asked.get("numeric").asBoolean());
                    answer.put("line", Base64.getEncoder().encodeToString(bytes));
                }
            } catch (Exception | StackOverflowError error) {
                answer.put("error", String.valueOf(error));
            }
            out.println(MAPPER.writeValueAsString(answer));
        }
    }
}
