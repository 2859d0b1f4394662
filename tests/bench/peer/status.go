package main

import (
	"context"
	"log"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Most callbacks in one pipeline.
const pipelined = 500

// Applies a callback that is newer than what is stored. {1 where it was, the status before}.
var advance = redis.NewScript(`
local was = redis.call('HMGET', KEYS[1], 'sequence', 'status')
local sequence = tonumber(ARGV[1])
if was[1] and tonumber(was[1]) >= sequence then return {0, was[2]} end
redis.call('HSET', KEYS[1], 'sequence', ARGV[1], 'status', ARGV[2], 'updated_at', ARGV[3])
redis.call('RPUSH', KEYS[2], ARGV[4])
if was[2] then redis.call('HINCRBY', KEYS[3], was[2], -1) end
redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {1, was[2] or ''}`)

type callback struct {
	tenant, call, sid, status, happened string
	sequence                            int
}

func read(record *kgo.Record) (*callback, error) {
	form, err := url.ParseQuery(string(record.Value))
	if err != nil {
		return nil, err
	}
	c := &callback{sid: form.Get("CallSid"), status: form.Get("CallStatus"), happened: form.Get("Timestamp")}
	if c.sequence, err = strconv.Atoi(form.Get("SequenceNumber")); err != nil {
		return nil, err
	}
	for _, header := range record.Headers {
		switch header.Key {
		case "ce_tenant":
			c.tenant = string(header.Value)
		case "ce_callid":
			c.call = string(header.Value)
		}
	}
	return c, nil
}

// Some records of one partition, in order: all in one pipeline, then their events, then they are done.
func (w *worker) apply(records []*kgo.Record) {
	ctx := context.Background()
	type asked struct {
		callback *callback
		answer   *redis.Cmd
	}
	all := make([]asked, 0, len(records))
	pipeline := w.redis.Pipeline()
	now := time.Now().UnixMilli()
	for _, record := range records {
		c, err := read(record)
		if err != nil {
			log.Print("status: ", err)
			continue
		}
		key := callKey(c.tenant, c.call)
		keys := []string{key, key + ":hops", "peer:counters:" + c.tenant}
		answer := pipeline.EvalSha(ctx, advance.Hash(), keys, c.sequence, c.status, now, c.status+"@"+c.happened, keep.Milliseconds())
		all = append(all, asked{c, answer})
	}
	if _, err := pipeline.Exec(ctx); err != nil {
		log.Print("status: ", err)
	}
	var produced sync.WaitGroup
	for _, a := range all {
		answer, err := a.answer.Slice()
		if err != nil || len(answer) != 2 {
			continue // Exec() has told
		}
		previous, _ := answer[1].(string)
		produced.Add(1)
		w.emit(&event{Type: "status", Tenant: a.callback.tenant, CallID: a.callback.call, ProviderCallID: a.callback.sid,
			Status: a.callback.status, Previous: previous, New: answer[0] == int64(1)}, func(err error) {
			if err != nil {
				log.Print("event: ", err)
			}
			produced.Done()
		})
	}
	produced.Wait()
	w.kafka.MarkCommitRecords(records...)
}

func (w *worker) status(stop context.Context) {
	if err := advance.Load(stop, w.redis).Err(); err != nil {
		log.Fatal(err)
	}
	for stop.Err() == nil {
		fetches := w.kafka.PollRecords(stop, 8*pipelined)
		var partitions sync.WaitGroup
		fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
			partitions.Go(func() { // a partition stays in order
				for rest := partition.Records; len(rest) > 0; {
					n := min(len(rest), pipelined)
					w.apply(rest[:n])
					rest = rest[n:]
				}
			})
		})
		partitions.Wait()
	}
}
