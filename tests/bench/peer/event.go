package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type event struct {
	Type           string          `json:"type"`
	Tenant         string          `json:"tenant"`
	Campaign       string          `json:"campaign,omitempty"`
	CallID         string          `json:"call_id"`
	To             string          `json:"to,omitempty"`
	Metadata       json.RawMessage `json:"metadata,omitempty"`
	ProviderCallID string          `json:"provider_call_id"`
	Status         string          `json:"status"`
	Previous       string          `json:"previous_status,omitempty"`
	New            bool            `json:"new"`
	At             string          `json:"at"`
}

// Produces it; `done` is called once the broker has it.
func (w *worker) emit(e *event, done func(error)) {
	e.At = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	value, err := json.Marshal(e)
	if err != nil {
		done(err)
		return
	}
	record := &kgo.Record{Topic: w.events, Key: []byte(e.Tenant + "/" + e.CallID), Value: value}
	w.kafka.Produce(context.Background(), record, func(_ *kgo.Record, err error) { done(err) })
}
