// Command clients sends log records over OTLP/gRPC with the OpenTelemetry SDK for Go, with its own batching.
//
//	clients ENDPOINT SERVICE COUNT
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: clients ENDPOINT SERVICE COUNT")
	}
	if err := send(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func send(endpoint, service, count string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	records, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var refused atomic.Int64
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		refused.Add(1)
		log.Print("refused: ", err)
	}))
	exporter, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpointURL(endpoint))
	if err != nil {
		return err
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithMaxQueueSize(4096))),
	)
	logger := provider.Logger("clients")
	for sequence := range records {
		var record otellog.Record
		record.SetTimestamp(time.Now())
		record.SetSeverity(otellog.SeverityInfo)
		record.SetSeverityText("INFO")
		record.SetBody(attribute.StringValue(fmt.Sprintf("order %d placed", sequence)))
		record.AddAttributes(attribute.Int("sequence", sequence))
		logger.Emit(ctx, record)
	}
	if err := provider.Shutdown(ctx); err != nil {
		return err
	}
	if failures := refused.Load(); failures > 0 {
		return fmt.Errorf("%d exports failed", failures)
	}
	return nil
}
