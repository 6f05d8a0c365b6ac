import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.resources.Resource;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/** Sends COUNT log records as SERVICE to ENDPOINT over OTLP/gRPC, with the SDK's own batching. */
public final class Send {
  private static final AttributeKey<Long> SEQUENCE = AttributeKey.longKey("sequence");

  public static void main(String[] arguments) {
    String endpoint = arguments[0];
    String service = arguments[1];
    int count = Integer.parseInt(arguments[2]);

    BatchLogRecordProcessor batching =
        BatchLogRecordProcessor.builder(OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).build())
            .setMaxQueueSize(4096)
            .build();
    SdkLoggerProvider provider =
        SdkLoggerProvider.builder()
            .setResource(Resource.create(Attributes.of(AttributeKey.stringKey("service.name"), service)))
            .addLogRecordProcessor(batching)
            .build();
    Logger logger = provider.get("clients");
    for (int sequence = 0; sequence < count; sequence++) {
      logger
          .logRecordBuilder()
          .setTimestamp(Instant.now())
          .setSeverity(Severity.INFO)
          .setSeverityText("INFO")
          .setBody("order " + sequence + " placed")
          .setAttribute(SEQUENCE, (long) sequence)
          .emit();
    }
    CompletableResultCode sent = provider.shutdown().join(30, TimeUnit.SECONDS);
    if (!sent.isSuccess()) {
      System.err.println("not everything was sent");
      System.exit(1);
    }
  }
}
