import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/** Runs SQL statements in this JVM, each to its end. */
public final class FlinkJob {
    public static void main(String[] arguments) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("parallelism.default", "1");
        configuration.setString("execution.checkpointing.interval", "10 s");
        EnvironmentSettings settings =
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build();
        TableEnvironment tables = TableEnvironment.create(settings);
        for (String statement : arguments[0].split(";")) {
            TableResult result = tables.executeSql(statement);
            if (result.getJobClient().isPresent()) {
                result.await();
            }
        }
    }
}
