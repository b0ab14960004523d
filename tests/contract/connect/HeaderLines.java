// What other sinks have of a header's value: Connect's converter reads it, JsonConverter or Values writes it.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

public class HeaderLines {
    static JsonConverter writer(boolean numeric) {
        JsonConverter made = new JsonConverter();
        made.configure(
            Map.of(
                "schemas.enable", "false", "converter.type", "header", "decimal.format", numeric ? "NUMERIC" : "BASE64"));
        return made;
    }

    static SchemaAndValue read(HeaderConverter simple, HeaderConverter string, String converter, byte[] value) {
        switch (converter) {
            case "simple":
                return simple.toConnectHeader("t", "h", value);
            case "string":
                return string.toConnectHeader("t", "h", value);
            default:
                return new SchemaAndValue(Schema.OPTIONAL_BYTES_SCHEMA, value);
        }
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        HeaderConverter simple = new SimpleHeaderConverter();
        StringConverter string = new StringConverter();
        string.configure(Map.of("converter.type", "header"));
        JsonConverter base64 = writer(false);
        JsonConverter numeric = writer(true);
        for (String line; (line = in.readLine()) != null; ) {
            JsonNode asked = mapper.readTree(line);
            ObjectNode answer = mapper.createObjectNode();
            try {
                byte[] value = Base64.getDecoder().decode(asked.get("value").asText());
                SchemaAndValue read = read(simple, string, asked.get("converter").asText(), value);
                JsonConverter converter = asked.get("numeric").asBoolean() ? numeric : base64;
                if (asked.get("text").asBoolean()) {
                    String text = Values.convertToString(read.schema(), read.value());
                    answer.put("json", mapper.writeValueAsString(text));
                    out.println(mapper.writeValueAsString(answer));
                    continue;
                }
                byte[] written = converter.fromConnectHeader("t", "h", read.schema(), read.value());
                answer.put("json", written == null ? "null" : new String(written, StandardCharsets.UTF_8));
            } catch (Exception | StackOverflowError error) {
                answer.put("error", String.valueOf(error));
            }
            out.println(mapper.writeValueAsString(answer));
        }
    }
}
