package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

type request struct {
	CallID      string `json:"call_id"`
	Tenant      string `json:"tenant"`
	Campaign    string `json:"campaign"`
	To          string `json:"to"`
	Channel     string `json:"channel"`
	RingTimeout int    `json:"ring_timeout"`
	Message     struct {
		Play string `json:"play"`
	} `json:"message"`
	Metadata json.RawMessage `json:"metadata"`
}

type placed struct {
	SID    string `json:"sid"`
	Status string `json:"status"`
}

// 1: the call is ours to dial. 0: somebody has it.
var claim = redis.NewScript(`
if redis.call('HSETNX', KEYS[1], 'claimed_at', ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'status', 'placing', 'campaign', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`)

func callKey(tenant, call string) string { return "peer:call:" + tenant + "/" + call }

func (w *worker) place(client *http.Client, q *request) (*placed, error) {
	callback := "https://ivr.example.org/callbacks/" + q.Channel + "/" + q.Tenant + "/" + q.CallID
	form := url.Values{
		"To": {q.To}, "From": {"+254711082000"}, "Timeout": {strconv.Itoa(q.RingTimeout)},
		"Twiml":               {"<Response><Play>" + q.Message.Play + "</Play></Response>"},
		"StatusCallback":      {callback},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"},
	}
	post, err := http.NewRequest(http.MethodPost, w.provider, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.SetBasicAuth(w.user, w.password)
	response, err := client.Do(post)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("the provider says %d: %s", response.StatusCode, body)
	}
	var p placed
	return &p, json.Unmarshal(body, &p)
}

func (w *worker) dial(client *http.Client, value []byte, done func(error)) {
	ctx := context.Background()
	var q request
	if err := json.Unmarshal(value, &q); err != nil {
		done(err)
		return
	}
	key := callKey(q.Tenant, q.CallID)
	ours, err := claim.Run(ctx, w.redis, []string{key}, time.Now().UnixMilli(), q.Campaign, keep.Milliseconds()).Int()
	if err != nil || ours == 0 {
		done(err)
		return
	}
	p, err := w.place(client, &q)
	if err != nil {
		done(err)
		return
	}
	err = w.redis.HSet(ctx, key, "status", p.Status, "sid", p.SID, "placed_at", time.Now().UnixMilli()).Err()
	if err != nil {
		done(err)
		return
	}
	w.emit(&event{Type: "dialing", Tenant: q.Tenant, Campaign: q.Campaign, CallID: q.CallID, To: q.To,
		Metadata: q.Metadata, ProviderCallID: p.SID, Status: p.Status, New: true}, done)
}

func (w *worker) dispatch(stop context.Context) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConns: w.inFlight, MaxIdleConnsPerHost: w.inFlight, MaxConnsPerHost: w.inFlight,
		IdleConnTimeout: 90 * time.Second}}
	offsets := newOffsets(w.kafka)
	records := make(chan *taken, w.inFlight)
	var dialling sync.WaitGroup
	for range w.inFlight {
		dialling.Go(func() {
			for t := range records {
				w.dial(client, t.record.Value, func(err error) {
					if err != nil {
						log.Print("dispatch: ", err)
					}
					offsets.finish(t)
				})
			}
		})
	}
	for stop.Err() == nil {
		fetches := w.kafka.PollRecords(stop, w.inFlight)
		for iter := fetches.RecordIter(); !iter.Done(); {
			records <- offsets.take(iter.Next())
		}
	}
	close(records)
	dialling.Wait()
}
