-- Hops, buckets, what comes next, and events (lib/hops.lua, counters.lua, next_step.lua, events.lua).
local layout = require('layout')
local counters = require('counters')
local events = require('events')
local hops = require('hops')
local next_step = require('next_step')
local run = require('run')
local calls = require('calls')
local A, EVENT, HOP, PHASE, S, STATUS = layout.A, layout.EVENT, layout.HOP, layout.PHASE, layout.S, layout.STATUS
local NOW, equal = calls.NOW, calls.equal
local tests = {}

function tests.the_hops_of_a_set_come_in_their_order()
  equal(table.concat(hops.within(0), ','), '')
  equal(table.concat(hops.within(1), ','), '0')
  equal(table.concat(hops.within(2 + 16 + 4), ','), '1,2,4')
  equal(table.concat(hops.within(31), ','), '0,1,2,3,4')
end

-- counters_bucket_seconds() of workers/calls/counters.c: the upper edge of a bucket.
function tests.a_bucket_is_exact_to_a_minute_and_five_percent_wide_above()
  local before = 0
  for seconds = 0, 90000 do
    local b = counters.bucket(seconds)
    local edge = b <= 60 and b or 60 * 1.05 ^ (b - 60)
    assert(edge >= seconds - 1e-6 and edge <= seconds * 1.05 + 1e-6, seconds .. ' s in the bucket to ' .. edge)
    assert(b == before or b == before + 1, 'a bucket was left out before ' .. b)
    before = b
  end
end

function tests.a_change_rides_on_the_hop_that_proves_it()
  equal(events.carrier(STATUS.COMPLETED, 2 ^ HOP.CONNECTED + 1), HOP.CONNECTED)
  equal(events.carrier(STATUS.FAILED, 2 ^ HOP.TERMINATE + 2), HOP.TERMINATE)
  equal(events.carrier(STATUS.FAILED, 1), HOP.MESSAGE_OUT, 'refused at once')
  equal(events.carrier(STATUS.COMPLETED, 1), -1)
  equal(events.carrier(STATUS.PENDING, 1), HOP.MESSAGE_OUT)
  equal(events.carrier(STATUS.PENDING, 2), -1)
  equal(events.carrier(STATUS.FAILED, 0), -1)
end

-- The positions that workers/calls/event.c reads by (build/gen/layout.h).
function tests.an_event_stands_where_its_layout_says()
  calls.begin(NOW + 5)
  local c = calls.call({STATUS = STATUS.COMPLETED, FINAL = 1, NEXT_AT = 11, DROP = 'd', SEQ = 6},
    {STATUS = STATUS.COMPLETED, CODE = 'code', DETAIL = 'detail', ID = 'CA1', PLACED = NOW - 9, RING = 4, TALK = 5,
      COST = 6, CURRENCY = 'KES'})
  events.emit(c, 'status', HOP.CONNECTED, STATUS.PENDING, NOW - 1, 'trace')
  local expected = {TYPE = 'status', ID = 't/c1', SEQ = 7, IDENTITY = c.identity, CAMPAIGN = 't/camp', ATTEMPT = 1,
    CHANNEL = 'ch', PROVIDER = 'twilio', PROVIDER_CALL_ID = 'CA1', PLACED_AT = NOW - 9, STATUS = STATUS.COMPLETED,
    PREVIOUS = STATUS.PENDING, HOP = HOP.CONNECTED, CODE = 'code', DETAIL = 'detail', FINAL = 1, NEXT_AT = 11,
    OCCURRED = NOW - 1, RECORDED = NOW + 5, RING = 4, TALK = 5, COST = 6, CURRENCY = 'KES', DROP = 'd', TRACE = 'trace',
    IN_DOUBT = 0}
  for name, position in pairs(EVENT) do
    equal(run.events[1][position], expected[name], name)
  end
  equal(#run.events[1], EVENT.IN_DOUBT)
  c.a[A.STATUS] = 0
  events.emit(c, 'waiting', -1, 0, 0, '')
  equal(#run.events[2], EVENT.IN_DOUBT)
  equal(run.events[2][EVENT.ATTEMPT], 0, 'of an attempt without evidence nothing is told')
  equal(run.events[2][EVENT.TRACE], '')
end

local function at(s, a, policy, jitter, elsewhere)
  calls.begin()
  local c = calls.call(s, a, policy)
  c.elsewhere = elsewhere
  local when = next_step.attempt_at(c, jitter or 0)
  return when and when - NOW
end

function tests.a_status_that_is_asked_for_is_tried_again_after_its_delay()
  equal(at({SPENT = 1}, {STATUS = 4, TERMINAL = 1}), 300000)
  equal(at({SPENT = 2}, {STATUS = 6, TERMINAL = 1}), 1800000)
  equal(at({SPENT = 1}, {STATUS = 4, TERMINAL = 1}, nil, 999), 329970, 'up to a tenth later')
  equal(at({SPENT = 3}, {STATUS = 4, TERMINAL = 1}), nil, 'as often as it may')
  equal(at({SPENT = 1}, {STATUS = 3, TERMINAL = 1}), nil, 'not asked for')
  equal(at({SPENT = 1}, {STATUS = 4, PERMANENT = 1}), nil)
  equal(at({SPENT = 1}, {STATUS = 4, CLOSED = layout.CLOSED.NO_REPORT}), nil)
  equal(at({SPENT = 1}, {STATUS = 4}, {EXPIRES = NOW + 300000}), nil, 'it would be past its expiry')
end

function tests.what_is_in_doubt_is_tried_again_only_where_that_is_wanted()
  local doubt, on = {STATUS = STATUS.GATEWAY_UNAVAILABLE}, 2 ^ STATUS.GATEWAY_UNAVAILABLE
  equal(at({SPENT = 1}, doubt, {ON = on}), nil)
  equal(at({SPENT = 1}, doubt, {ON = on, REDIAL = 1}), 300000)
end

function tests.what_reached_nobody_comes_again_ever_later_until_its_limit()
  local unreached = {STATUS = STATUS.GATEWAY_UNAVAILABLE, UNREACHED = 1}
  equal(at({UNREACHED_N = 1, UNREACHED_SINCE = NOW}, unreached), 750)
  equal(at({UNREACHED_N = 4, UNREACHED_SINCE = NOW}, unreached, nil, 1000), 10000)
  equal(at({UNREACHED_N = 40, UNREACHED_SINCE = NOW}, unreached, nil, 500), 300000)
  equal(at({UNREACHED_N = 40, UNREACHED_SINCE = NOW - 3600000 + 5}, unreached), 5, 'the time to give up')
  equal(at({UNREACHED_N = 1, UNREACHED_SINCE = NOW - 3600000}, unreached), nil)
  equal(at({UNREACHED_N = 3, UNREACHED_SINCE = NOW}, unreached, nil, 0, true), 0, 'another channel is there')
end

local function concluded(s, a, n)
  calls.begin()
  local c = calls.call(s, a)
  c.n = n or c.n
  next_step.conclude(c, 0)
  return c.s[S.PHASE] .. '/' .. c.s[S.FINAL] .. '/' .. (c.s[S.NEXT_AT] > 0 and c.s[S.NEXT_AT] - NOW or 0)
end

function tests.a_call_goes_where_its_evidence_leads()
  equal(concluded({}, {STATUS = STATUS.PENDING}), PHASE.PLACED .. '/0/0')
  equal(concluded({SPENT = 1}, {STATUS = 4, TERMINAL = 1}), PHASE.WAITING .. '/0/300000')
  equal(concluded({SPENT = 3}, {STATUS = 4, TERMINAL = 1}), PHASE.DONE .. '/1/0')
  equal(concluded({WON = 1}, {STATUS = STATUS.COMPLETED}), PHASE.DONE .. '/1/0')
  equal(concluded({WON = 1, TOKEN = 't'}, {STATUS = STATUS.COMPLETED}), PHASE.PLACING .. '/1/0', 'a claim is out')
  equal(concluded({SPENT = 1, CANCELLED = 1}, {STATUS = 4, TERMINAL = 1}), PHASE.DONE .. '/1/0', 'cancelled')
  equal(concluded({ATTEMPT = 2, PHASE = PHASE.WAITING, NEXT_AT = NOW + 7}, {STATUS = 4, TERMINAL = 1}, 1),
    PHASE.WAITING .. '/0/7', 'an earlier attempt says nothing of it')
  equal(concluded({SPENT = 1, PHASE = PHASE.WAITING, NEXT_AT = NOW + 7}, {STATUS = 4, TERMINAL = 1}),
    PHASE.WAITING .. '/0/7', 'the same again')
end

return tests
