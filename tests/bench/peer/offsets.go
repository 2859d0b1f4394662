package main

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What is out of each partition, in the order in which it was consumed. A record is marked for the commit once it and
// all before it are done.
type offsets struct {
	lock  sync.Mutex
	kafka *kgo.Client
	out   map[int32][]*taken
}

type taken struct {
	record *kgo.Record
	done   bool
}

func newOffsets(kafka *kgo.Client) *offsets {
	return &offsets{kafka: kafka, out: map[int32][]*taken{}}
}

func (o *offsets) take(record *kgo.Record) *taken {
	t := &taken{record: record}
	o.lock.Lock()
	o.out[record.Partition] = append(o.out[record.Partition], t)
	o.lock.Unlock()
	return t
}

func (o *offsets) finish(t *taken) {
	o.lock.Lock()
	t.done = true
	queue, n := o.out[t.record.Partition], 0
	for n < len(queue) && queue[n].done {
		n++
	}
	var last *kgo.Record
	if n > 0 {
		last = queue[n-1].record
		o.out[t.record.Partition] = queue[n:]
	}
	o.lock.Unlock()
	if last != nil {
		o.kafka.MarkCommitRecords(last)
	}
}
