"""Sends COUNT log records as SERVICE to ENDPOINT, over OTLP/gRPC or OTLP/HTTP, with the SDK's own batching."""

import sys
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource


def exporter(protocol, endpoint):
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

        return OTLPLogExporter(endpoint=endpoint, insecure=True)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter(endpoint=f"{endpoint}/v1/logs")


def main():
    protocol, endpoint, service, count = sys.argv[1:]
    provider = LoggerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter(protocol, endpoint), max_queue_size=4096))
    logger = provider.get_logger("clients")
    for sequence in range(int(count)):
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"order {sequence} placed",
                attributes={"sequence": sequence},
            )
        )
    if not provider.force_flush():
        sys.exit("not everything was sent in time")
    provider.shutdown()


main()
