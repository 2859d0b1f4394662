// The peer that `make bench` measures beside ours: a dispatch and a status worker as a Go team would write them in an
// afternoon, with franz-go, net/http and go-redis. It promises less: no lines, no contact locks, no retries, no
// counters by campaign that a correction can move back, no outbox. What it does, it does honestly: an offset is
// committed once everything before it is done, and a call is claimed in Redis before it is dialled.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Keys in Redis live as long as those of ours.
const keep = 7 * 24 * time.Hour

type worker struct {
	kafka    *kgo.Client
	redis    *redis.Client
	events   string
	provider string // where calls are placed, with the account in it
	user     string
	password string
	inFlight int
}

func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func newWorker(topic string) *worker {
	inFlight, err := strconv.Atoi(setting("PEER_IN_FLIGHT"))
	if err != nil {
		log.Fatal(err)
	}
	kafka, err := kgo.NewClient(
		kgo.SeedBrokers(setting("PEER_KAFKA")),
		kgo.ConsumerGroup("peer-"+topic),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(time.Second),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		log.Fatal(err)
	}
	return &worker{
		kafka:    kafka,
		redis:    redis.NewClient(&redis.Options{Addr: setting("PEER_REDIS"), PoolSize: 64}),
		events:   setting("PEER_EVENTS"),
		provider: setting("PEER_PROVIDER"),
		user:     setting("PEER_USER"),
		password: setting("PEER_PASSWORD"),
		inFlight: inFlight,
	}
}

func (w *worker) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.kafka.Flush(ctx); err != nil {
		log.Print("flush: ", err)
	}
	if err := w.kafka.CommitMarkedOffsets(ctx); err != nil {
		log.Print("commit: ", err)
	}
	w.kafka.Close()
	w.redis.Close()
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: peer dispatch|status TOPIC")
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	w := newWorker(os.Args[2])
	defer w.close()
	switch os.Args[1] {
	case "dispatch":
		w.dispatch(stop)
	case "status":
		w.status(stop)
	default:
		log.Fatal("peer dispatches, or takes statuses")
	}
}
