// Sends `COUNT` log records as `SERVICE` to `ENDPOINT` over OTLP/gRPC, with the SDK's own batching.
'use strict';
const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-grpc');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');

const [endpoint, service, count] = process.argv.slice(2);
const exporter = new OTLPLogExporter({ url: endpoint });

// The SDK's batching hides what an export came to; this shows it.
let refused = 0;
const send = exporter.export.bind(exporter);
exporter.export = (records, done) =>
  send(records, (result) => {
    if (result.code !== 0) {
      refused += records.length;
      console.error(`refused: ${result.error}`);
    }
    done(result);
  });

async function main() {
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: 4096 })],
  });
  const logger = provider.getLogger('clients');
  for (let sequence = 0; sequence < Number(count); sequence++) {
    logger.emit({ severityNumber: 9, severityText: 'INFO', body: `order ${sequence} placed`, attributes: { sequence } });
  }
  await provider.shutdown();
  if (refused > 0) throw new Error(`${refused} records were refused`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
