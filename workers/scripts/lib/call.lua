-- What a call is in Redis, and the only code that changes one. Included by every script that does.
--
-- KEYS[1] is the shard, e.g. "{ivr:07}". Every key begins with it, so a script touches one slot of a Redis Cluster:
--   :call:TENANT/CALL_ID    hash: s state, p policy, i identity (JSON fragment for events), q request, f fingerprint,
--                           a1, a2, ... attempts; s, p and attempts are MessagePack arrays (positions below)
--   :due                    zset of waiting calls, by the time of their next attempt
--   :hold:KEY               zset of waiting calls that an operator's pause keeps out of :due, by their expiry; KEY is the
--                           pause: "campaign:TENANT/CAMPAIGN", "tenant:TENANT", "channel:NAME", or "call": that call alone
--   :holds                  set of those KEYs
--   :ctl                    hash of what operators said: "pause:KEY" or "cancel:KEY", and when, ms (controls.lua). Each
--                           shard has its own copy, so that a claim reads it where it is made: there is no moment between
--                           the two, and who cannot read it cannot dial
--   :sweep                  hash, how far the search for calls that were cancelled has come (sweep.lua)
--   :hangups                zset of cancelled calls that their provider has, by the time to ask it to hang up
--   :waiting                hash, how many of them wait by channel, held ones too (a gauge for people)
--   :open                   zset of placing, placed, talking and in-doubt calls, by the time somebody must look at them; claims stand
--   before all others
--                           (CLAIMS_FIRST_MS), so that a crowd of silent calls does not hold them up
--   :lined                  zset "CHANNEL|tenant/call_id/attempt" of attempts that have a line of their channel (admit.lua), by its
--                           deadline: what the channel's own list is rebuilt from
--   :out                    stream, the outbox: field e holds a MessagePack array of what has to follow a change: events to be
--                           produced, and lines to be freed (release below)
--   :n:TENANT/CAMPAIGN      hash of counters, fields CHANNEL|what
--   :w:TENANT/CAMPAIGN|CHANNEL|MINUTE   hash of a one-minute window's counters, lives 48 h
--   :campaigns, :windows    zsets of those two, by their last change
-- ARGV[1] is cmsgpack {retention_ms, pending_limit_ms, give_up_ms, pending_check_ms}.
--
-- Promises kept here: a status is the maximum of its evidence, and every other field merges commutatively; counters,
-- the event and the call move together; applying the same evidence again changes nothing and emits nothing.

local shard = KEYS[1]
local retention_ms, pending_limit_ms, give_up_ms, pending_check_ms = unpack(cmsgpack.unpack(ARGV[1]))
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Positions in a call's state.
local SEQ, PHASE, STATUS, FINAL, ATTEMPT, CAMPAIGN, CHANNEL, CREATED, UPDATED, NEXT_AT, DROP, SPENT, UNREACHED_SINCE,
  UNREACHED_N, TOKEN, REASON, SOURCE, WON, UNREACHED_KEPT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19
-- Only where an operator had a say in the call: the KEY that holds it ('' none), since when, 1 once it is cancelled (no
-- further attempt, whatever becomes of this one), and how often its provider was asked to hang up. And 1 where it waits for
-- another call to the same number to end (contact.lua), and how many of its claims were given back.
local HOLD, HELD_AT, CANCELLED, HUNG_UP, BUSY, BACKS = 20, 21, 22, 23, 24, 25
-- Phases.
local WAITING, PLACING, PLACED, DONE, DROPPED = 1, 2, 3, 4, 5
-- Statuses (common/model/status.h).
local PENDING, GATEWAY_UNAVAILABLE, FAILED, COMPLETED = 1, 2, 3, 7
-- Positions in a policy: retry.on is a mask of 2^status.
local P_MAX, P_ON, P_DELAYS, P_REDIAL, P_EXPIRES = 1, 2, 3, 4, 5
-- Positions in an attempt. Its end is three values a hop: A_HOPS + 3 * hop is the provider's time (0 unknown), then
-- ours (0 not seen), then the detail. One flat array: nested ones cost Redis twice as much to pack and to read.
local A_STATUS, A_TERMINAL, A_KIND, A_CODE, A_DETAIL, A_CHANNEL, A_PROVIDER, A_ID, A_ID_SURE, A_PLACED, A_RING, A_TALK,
  A_COST, A_CURRENCY, A_ANSWERED, A_REPORTED, A_UNREACHED, A_PERMANENT, A_CLOSED, A_RING_GIVEN, A_HOPS =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21
-- Behind the hops: what the attempt holds and release() gives back: the number whose line it has ('' none, contact.lua), and 1
-- where it has a line of its channel (admit.lua), and by which name (life_of). Then how often it was refined (evidence.lua), and
-- the name under which its window counts its reason where that is not its own (reasons.name).
local A_CONTACT, A_LINE, A_LIFE, A_REFINED, A_COUNTED = 36, 37, 38, 39, 40
-- What A_CLOSED holds: nothing, closed for want of a report, its claim was settled by others.
local NO_REPORT, SETTLED = 1, 2
-- Hops, in their order (common/model/hop.h).
local MESSAGE_OUT, DIALING, CONNECTED, TERMINATE, SESSION_COMPLETED = 0, 1, 2, 3, 4
local MESSAGE_OUT_BIT, CONNECTED_BIT = 1, 4
-- Positions in evidence (workers/store/pack.c writes it).
local E_STATUS, E_TERMINAL, E_HOPS, E_AT, E_ANSWERED, E_RING, E_TALK, E_COST, E_CURRENCY, E_KIND, E_CODE, E_DETAIL,
  E_HOP_DETAIL, E_ID, E_PERMANENT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

local WINDOW_MS, WINDOW_KEEP_MS = 60000, 48 * 3600 * 1000
local BACKOFF_FIRST_MS, BACKOFF_MAX_MS = 1000, 300000
local KEEP_UNREACHED = 10
local CLAIMS_FIRST_MS = 2 ^ 43

local pack, unpack_value, floor, call = cmsgpack.pack, cmsgpack.unpack, math.floor, redis.call
local band, bor, lshift = bit.band, bit.bor, bit.lshift

-- ---- reading: what cannot be read is told, and holds up nothing else ----
--
-- First of all functions, because a function costs what it captures, and the more was captured before.

-- Calls that were met and cannot be read, as sentences; finish() hands them out. And what is being read at this moment: an error
-- meanwhile is its fault.
local reading = {unreadable = {}, key = nil, field = nil}

-- Ends the work on a call, before anything of it is written: reading.one() goes on behind it.
function reading.cannot(key, why)
  reading.key = nil
  error({unreadable = key .. ' cannot be read: ' .. why})
end

-- Works on one call; {'unreadable', sentence} where that could not be read (workers/store/batch.c knows it).
function reading.one(work, record)
  local ok, result = pcall(work, record)
  if ok then
    return result
  end
  local why = type(result) == 'table' and result.unreadable
  if reading.key then
    why = reading.key .. ' cannot be read: its field ' .. reading.field .. ' is not what this version writes there'
    reading.key = nil
  elseif not why then
    error(result, 0)
  end
  reading.unreadable[#reading.unreadable + 1] = why
  return {'unreadable', why}
end

-- Works on the records ARGV[2..], each by itself.
local function each(work)
  local results = {}
  for i = 2, #ARGV do
    results[i - 1] = reading.one(work, unpack_value(ARGV[i]))
  end
  return results
end

local policy
do
  -- Each touches every value that is counted with or compared later, as cheaply as that goes: one that is missing or of
  -- another type raises an error here, and not in the middle of a change. Those at the end came later, and may be missing.
  local function state_fits(s)
    local numbers = s[SEQ] + s[FINAL] + s[ATTEMPT] + s[CREATED] + s[UPDATED] + s[NEXT_AT] + s[SPENT] + s[UNREACHED_SINCE] +
      s[UNREACHED_N] + s[SOURCE] + s[WON] + (s[HELD_AT] or 0) + (s[CANCELLED] or 0) + (s[HUNG_UP] or 0) + (s[BUSY] or 0) +
      (s[BACKS] or 0)
    local texts = #s[CAMPAIGN] + #s[CHANNEL] + #s[DROP] + #s[TOKEN] + #s[REASON] + #(s[HOLD] or '') + #s[UNREACHED_KEPT]
    local phase, status = s[PHASE], s[STATUS]
    return numbers >= 0 and texts > 0 and phase >= WAITING and phase <= DROPPED and status >= 0 and status <= COMPLETED
  end

  local function attempt_fits(a)
    local numbers = a[A_TERMINAL] + a[A_KIND] + a[A_ID_SURE] + a[A_PLACED] + a[A_RING] + a[A_TALK] + a[A_COST] + a[A_ANSWERED] +
      a[A_REPORTED] + a[A_UNREACHED] + a[A_PERMANENT] + a[A_CLOSED] + a[A_RING_GIVEN] + (a[A_LINE] or 0) + (a[A_LIFE] or 0) +
      a[A_HOPS] + a[A_HOPS + 1] + a[A_HOPS + 3] + a[A_HOPS + 4] + a[A_HOPS + 6] + a[A_HOPS + 7] + a[A_HOPS + 9] +
      a[A_HOPS + 10] + a[A_HOPS + 12] + a[A_HOPS + 13]
    local texts = #a[A_CODE] + #a[A_DETAIL] + #a[A_CHANNEL] + #a[A_PROVIDER] + #a[A_ID] + #a[A_CURRENCY] + #(a[A_CONTACT] or '') +
      #a[A_HOPS + 2] + #a[A_HOPS + 5] + #a[A_HOPS + 8] + #a[A_HOPS + 11] + #a[A_HOPS + 14]
    local status = a[A_STATUS]
    return numbers >= 0 and texts >= 0 and status >= 0 and status <= COMPLETED
  end

  local function policy_fits(p)
    local sum = p[P_MAX] + p[P_ON] + p[P_REDIAL] + p[P_EXPIRES]
    for i = 1, #p[P_DELAYS] do
      sum = sum + p[P_DELAYS][i]
    end
    return sum >= 0
  end

  local function decoded(key, field, packed, fits)
    reading.key, reading.field = key, field
    local value = unpack_value(packed)
    if not fits(value) then
      error('it has no such value')
    end
    reading.key = nil
    return value
  end

  function reading.state(key, packed)
    return decoded(key, 's', packed, state_fits)
  end

  -- What `packed` holds, or attempt `n` as it stands in Redis; nil when there is none.
  function reading.attempt(key, n, packed)
    packed = packed or call('HGET', key, 'a' .. n)
    return packed and decoded(key, 'a' .. n, packed, attempt_fits) or nil
  end

  local policies = {} -- by their text: a campaign's calls have the same
  function policy(c)
    local p = policies[c.packed_policy]
    if not p then
      p = decoded(c.key, 'p', c.packed_policy, policy_fits)
      policies[c.packed_policy] = p
    end
    return p
  end
end

-- ---- counters: collected over the whole batch, written once ----

local campaigns, windows, events, first_calls, waiting = {}, {}, {}, {}, {}

local function add(counts, field, delta)
  counts[field] = (counts[field] or 0) + delta
end

local function counts_of(all, key)
  local counts = all[key]
  if not counts then
    counts = {}
    all[key] = counts
  end
  return counts
end

-- Reasons are counted by name while fewer than `most` others of their channel are, else as 'other': so many a summary shows.
-- Whoever counts one keeps the name that it was counted by, and takes the same one back.
local reasons = {most = 64, names = {}, n = {}}

-- The name by which the reason is counted in the hash `key`, where '#r' is how many have their own.
function reasons.name(key, channel, code)
  if code == '' or code == 'other' then
    return code
  end
  local group, field = key .. channel, channel .. 'r:' .. code
  local name = reasons.names[key .. field]
  if not name then
    name = code
    if call('HEXISTS', key, field) == 0 then
      local n = reasons.n[group] or tonumber(call('HGET', key, channel .. '#r') or 0)
      name = n < reasons.most and code or 'other'
      reasons.n[group] = name == code and n + 1 or n
    end
    reasons.names[key .. field] = name
  end
  return name
end

-- The counter `field` moved by delta and is `value` now: notes by channel which reasons came and went. `pattern` is that of a
-- reason's field: its channel, its code.
function reasons.note(moved, pattern, field, delta, value)
  if value == 0 or value == delta then
    local channel, code = string.match(field, pattern)
    if channel and code ~= 'other' then
      add(moved, channel, value == 0 and -1 or 1)
    end
  end
end

function reasons.write(key, moved)
  for channel, delta in pairs(moved) do
    if delta ~= 0 and call('HINCRBY', key, channel .. '#r', string.format('%.0f', delta)) <= 0 then
      call('HDEL', key, channel .. '#r')
    end
  end
end

-- A call stands in exactly one of: waiting, dropped by reason, its status. s[REASON] is the name that its reason is counted by.
local function count_call(s, delta)
  local counts, channel = counts_of(campaigns, s[CAMPAIGN]), s[CHANNEL] .. '|'
  add(counts, channel .. 'calls', delta)
  if s[STATUS] == 0 then
    add(counts, channel .. (s[PHASE] == DROPPED and 'd:' .. s[DROP] or 'waiting'), delta)
    return
  end
  add(counts, channel .. 's:' .. s[STATUS], delta)
  if s[REASON] ~= '' then
    add(counts, channel .. 'r:' .. s[REASON], delta)
  end
  local another = s[PHASE] == WAITING or (s[PHASE] == PLACING and s[SOURCE] < s[ATTEMPT])
  if another and s[FINAL] == 0 then
    add(counts, channel .. 'retrying', delta)
  end
end

-- The window of an attempt's minute and its name, or nil when its counters are gone.
local function window_of(s, a)
  local minute = a[A_PLACED] - a[A_PLACED] % WINDOW_MS
  if minute + WINDOW_KEEP_MS <= now then
    return nil
  end
  local name = s[CAMPAIGN] .. '|' .. a[A_CHANNEL] .. '|' .. string.format('%.0f', minute)
  return counts_of(windows, name), name
end

-- Seconds to a histogram's bucket: exact to 60, then 5 % wide (workers/store/counters.c turns it back).
local function bucket(seconds)
  if seconds <= 60 then
    return seconds
  end
  return 60 + math.ceil(math.log(seconds / 60) / math.log(1.05) - 1e-9)
end

-- The hops of a set, in their order.
local hop_lists = {}
local function hops_in(set)
  local list = hop_lists[set]
  if not list then
    list = {}
    for hop = MESSAGE_OUT, SESSION_COMPLETED do
      if band(set, lshift(1, hop)) ~= 0 then
        list[#list + 1] = hop
      end
    end
    hop_lists[set] = list
  end
  return list
end

local function count_both(counts, channel, window, field, delta)
  add(counts, channel .. field, delta)
  if window then
    add(window, field, delta)
  end
end

local function count_seconds(counts, channel, window, name, before, after)
  if before >= 0 then
    count_both(counts, channel, window, name .. ':' .. bucket(before), -1)
    count_both(counts, channel, window, name .. 'sum', -before)
  end
  if after >= 0 then
    count_both(counts, channel, window, name .. ':' .. bucket(after), 1)
    count_both(counts, channel, window, name .. 'sum', after)
  end
end

local function count_window_status(window, status, code, delta)
  if status > 0 then
    add(window, 's:' .. status, delta)
    if code ~= '' then
      add(window, 'r:' .. code, delta)
    end
  end
end

-- The fields behind those that every attempt has: an array must not have holes.
local function with_tail(a)
  a[A_LIFE], a[A_REFINED] = a[A_LIFE] or 0, a[A_REFINED] or 0
  return a
end

local function count_in_window(window, name, a, old)
  count_window_status(window, old.status, old.counted, -1)
  local counted = reasons.name(shard .. ':w:' .. name, '', a[A_CODE])
  if counted ~= a[A_CODE] then
    with_tail(a)[A_COUNTED] = counted
  else
    a[A_COUNTED] = nil
  end
  count_window_status(window, a[A_STATUS], counted, 1)
end

-- Moves the attempt's part of campaign and window from what it was (`old`) to what it is.
local function count_attempt(s, a, old, new_hops)
  local counts, channel = counts_of(campaigns, s[CAMPAIGN]), a[A_CHANNEL] .. '|'
  local window, name = window_of(s, a)
  if old.status == 0 then
    count_both(counts, channel, window, 'attempts', 1)
  end
  if window and (old.status ~= a[A_STATUS] or old.code ~= a[A_CODE]) then
    count_in_window(window, name, a, old)
  end
  for _, hop in ipairs(hops_in(new_hops)) do
    count_both(counts, channel, window, 'h:' .. hop, 1)
  end
  if old.ring ~= a[A_RING] then
    count_seconds(counts, channel, window, 'ring', old.ring, a[A_RING])
  end
  if old.talk ~= a[A_TALK] then
    count_seconds(counts, channel, window, 'talk', old.talk, a[A_TALK])
  end
  if old.cost ~= a[A_COST] or old.currency ~= a[A_CURRENCY] then
    if old.cost >= 0 then
      count_both(counts, channel, window, 'cost:' .. old.currency, -old.cost)
    end
    if a[A_COST] >= 0 then
      count_both(counts, channel, window, 'cost:' .. a[A_CURRENCY], a[A_COST])
    end
  end
end

-- ---- a call while a script works on it ----

local function attempt_new(channel, provider)
  return {0, 0, 0, '', '', channel, provider, '', 0, now, -1, -1, -1, '', 0, 0, 0, 0, 0, -1,
    0, 0, '', 0, 0, '', 0, 0, '', 0, 0, '', 0, 0, '', '', 0}
end

-- The number of the claim that the call's latest attempt has. An attempt's number is used again when its claim is given back; this
-- is not, so what is freed twice, or late, is never what a later claim holds. Lines, tickets and locks are named by it.
local function life_of(s)
  return s[ATTEMPT] + (s[BACKS] or 0)
end

-- Begins attempt c.n. `contact`: the number whose line it takes ('' none); `line`: 1 when it has one of its channel; both for
-- hold_ms at most.
local function attempt_begin(c, channel, provider, contact, line, hold_ms)
  c.a = attempt_new(channel, provider)
  c.a[A_CONTACT], c.a[A_LINE], c.a[A_LIFE] = contact or '', line or 0, life_of(c.s)
  if line == 1 then
    call('ZADD', shard .. ':lined', now + hold_ms, channel .. '|' .. c.id .. '/' .. life_of(c.s))
  end
end

-- Gives back what the attempt holds: it is over, or was not placed. Stands in the outbox until it is done
-- (workers/store/freed.h), so that no crash keeps a line. Does not save.
local function release(c)
  local a = c.a
  local contact, line = a[A_CONTACT] or '', a[A_LINE] or 0
  if contact == '' and line == 0 then
    return
  end
  events[#events + 1] = {'freed', c.id, a[A_LIFE], a[A_CHANNEL], contact, line}
  if line == 1 then
    call('ZREM', shard .. ':lined', a[A_CHANNEL] .. '|' .. c.id .. '/' .. a[A_LIFE])
  end
  a[A_CONTACT], a[A_LINE], c.dirty = '', 0, true
end

-- What of a call its place in the counters depends on.
local function place_of(s)
  return {[STATUS] = s[STATUS], [PHASE] = s[PHASE], [FINAL] = s[FINAL], [CHANNEL] = s[CHANNEL], [REASON] = s[REASON],
    [SOURCE] = s[SOURCE], [ATTEMPT] = s[ATTEMPT], [DROP] = s[DROP], [CAMPAIGN] = s[CAMPAIGN]}
end

-- Nobody knows whether it was placed.
local function in_doubt(a)
  return a[A_STATUS] == GATEWAY_UNAVAILABLE and a[A_REPORTED] == 0 and a[A_UNREACHED] == 0
end

-- The call ended there, and its provider may know more (settle.lua).
local function is_doubtful(s, a, n)
  return a ~= nil and s[PHASE] == DONE and n == s[ATTEMPT] and in_doubt(a)
end

-- It was answered, and its provider has not closed it.
local function is_talking(s, a, n)
  return a ~= nil and s[WON] == n and a[A_TERMINAL] == 0 and a[A_CLOSED] ~= NO_REPORT
end

-- The call with attempt `n` (nil: its latest), or nil when Redis does not know it; c.a is nil when there is no such
-- attempt. `in_passing`: nothing will be said that ends the attempt, so its policy is not asked for.
local function call_load(id, n, in_passing)
  local key = shard .. ':call:' .. id
  local read = redis.pcall('HMGET', key, 's', 'i', 'p', n and 'a' .. n or 's')
  if read.err then
    reading.cannot(key, read.err)
  elseif not read[1] and not read[2] and not read[3] then
    return nil
  elseif not (read[1] and read[2] and read[3]) then
    reading.cannot(key, 'its field ' .. (read[1] and (read[2] and 'p' or 'i') or 's') .. ' is missing')
  end
  local s, a = reading.state(key, read[1]), nil
  if n then
    a = read[4] and reading.attempt(key, n, read[4])
  else
    n = s[ATTEMPT]
    a = n > 0 and reading.attempt(key, n)
  end
  a = a or nil
  local c = {id = id, key = key, s = s, identity = read[2], packed_policy = read[3], n = n, a = a, phase = s[PHASE],
    hold = s[HOLD] or '', cancelled = s[CANCELLED], final = s[FINAL], next_at = s[NEXT_AT], seq = s[SEQ], counted = place_of(s),
    doubtful = is_doubtful(s, a, n), talking = is_talking(s, a, n)}
  if not (in_passing and a and a[A_TERMINAL] == 0) then
    policy(c)
  end
  return c
end

-- Our time of a change never goes back within a call, whatever Redis' clock does at a failover.
local function touch(s)
  s[UPDATED] = now > s[UPDATED] and now or s[UPDATED]
end

-- One event: workers/store/event.c renders it. `occurred` is the provider's time, 0 without.
local function emit(c, kind, hop, previous, occurred, trace)
  local s, a = c.s, c.a
  s[SEQ] = s[SEQ] + 1
  touch(s)
  if a and a[A_STATUS] > 0 then
    events[#events + 1] = {kind, c.id, s[SEQ], c.identity, s[CAMPAIGN], c.n, a[A_CHANNEL], a[A_PROVIDER], a[A_ID],
      a[A_PLACED], s[STATUS], previous, hop, a[A_CODE], a[A_DETAIL], s[FINAL], s[NEXT_AT], occurred, s[UPDATED],
      a[A_RING], a[A_TALK], a[A_COST], a[A_CURRENCY], s[DROP], trace}
  else
    events[#events + 1] = {kind, c.id, s[SEQ], c.identity, s[CAMPAIGN], 0, s[CHANNEL], c.provider or '', '', 0, s[STATUS], previous,
      hop, '', '', s[FINAL], s[NEXT_AT], occurred, s[UPDATED], -1, -1, -1, '', s[DROP], trace}
  end
end

-- A claim that has no outcome by then is settled by whoever looks.
-- An owner that asks again has no answer yet (its replicas are away), so it has not dialled and is alive: its claim
-- counts from the newest question. What it may still send is bounded by its first one (workers/dispatch/attempt.h).
local function claim_until(id, at)
  call('ZADD', shard .. ':open', at - CLAIMS_FIRST_MS, id)
end

local function same_place(a, b)
  return a[STATUS] == b[STATUS] and a[PHASE] == b[PHASE] and a[FINAL] == b[FINAL] and a[CHANNEL] == b[CHANNEL] and
    a[REASON] == b[REASON] and a[SOURCE] == b[SOURCE] and a[ATTEMPT] == b[ATTEMPT] and a[DROP] == b[DROP]
end

-- Where a waiting call stands: in :due, or where a pause keeps it until its expiry.
local function index_waiting(c)
  local s, was = c.s, c.phase == WAITING
  local waits, hold = s[PHASE] == WAITING, s[HOLD] or ''
  if was then
    add(waiting, c.counted[CHANNEL], -1)
    if c.hold ~= '' and not (waits and hold == c.hold) then
      call('ZREM', shard .. ':hold:' .. c.hold, c.id)
    elseif c.hold == '' and not (waits and hold == '') then
      call('ZREM', shard .. ':due', c.id)
    end
  end
  if waits then
    add(waiting, s[CHANNEL], 1)
  end
  if waits and hold == '' then
    call('ZADD', shard .. ':due', s[NEXT_AT], c.id)
  elseif waits and not (was and hold == c.hold) then
    local expires = policy(c)[P_EXPIRES]
    call('ZADD', shard .. ':hold:' .. hold, expires > 0 and expires or '+inf', c.id)
    call('SADD', shard .. ':holds', hold)
  end
end

-- What no operator said, and no other call keeps waiting, is not stored.
local function trim_controls(s)
  local waits = s[PHASE] == WAITING
  local hold, busy = waits and s[HOLD] or '', waits and s[BUSY] or 0
  if hold == '' and s[CANCELLED] ~= 1 and busy == 0 and (s[BACKS] or 0) == 0 then
    s[HOLD], s[HELD_AT], s[CANCELLED], s[HUNG_UP], s[BUSY], s[BACKS] = nil, nil, nil, nil, nil, nil
  else
    s[HOLD], s[HELD_AT], s[CANCELLED], s[HUNG_UP], s[BUSY], s[BACKS] =
      hold, hold ~= '' and s[HELD_AT] or 0, s[CANCELLED] or 0, s[HUNG_UP] or 0, busy, s[BACKS] or 0
  end
end

-- Writes the call back, with its indexes and its place in the counters. c.fresh: the fields of one that was not there. The call
-- itself comes last: until then whoever asks again finds it as it was, and does all of it.
local function call_save(c)
  local s = c.s
  touch(s)
  trim_controls(s)
  if not same_place(c.counted, s) then
    count_call(c.counted, -1)
    s[REASON] = reasons.name(shard .. ':n:' .. s[CAMPAIGN], s[CHANNEL] .. '|', s[REASON])
    count_call(s, 1)
  end
  index_waiting(c)
  if s[PHASE] == PLACED and s[CANCELLED] == 1 and (c.phase ~= PLACED or c.cancelled ~= 1) then
    call('ZADD', shard .. ':hangups', now, c.id)
  end
  local doubtful, talking = is_doubtful(s, c.a, c.n), is_talking(s, c.a, c.n)
  if (s[PHASE] == PLACED and c.phase ~= PLACED) or (talking and not c.talking and c.phase ~= PLACED) then
    call('ZADD', shard .. ':open', c.a[A_PLACED] + math.min(pending_check_ms, pending_limit_ms), c.id)
  elseif doubtful and not c.doubtful then
    call('ZADD', shard .. ':open', now + pending_check_ms, c.id)
  elseif s[PHASE] ~= PLACED and s[PHASE] ~= PLACING and not doubtful and not talking and
    (c.phase == PLACED or c.phase == PLACING or c.doubtful or c.talking) then
    call('ZREM', shard .. ':open', c.id)
  end
  local fields = c.fresh or {}
  fields[#fields + 1], fields[#fields + 2] = 's', pack(s)
  if c.a then
    fields[#fields + 1], fields[#fields + 2] = 'a' .. c.n, pack(c.a)
  end
  call('HSET', c.key, unpack(fields))
  if s[FINAL] == 1 and c.final == 0 then
    call('PEXPIRE', c.key, retention_ms)
  elseif s[FINAL] == 0 and c.final == 1 then
    call('PERSIST', c.key)
  end
end

-- ---- what operators said ----

-- Looked at before anything is written: a script that cannot read it does nothing.
local anything_said = call('HLEN', shard .. ':ctl') > 0

-- 'cancel', or 'pause' and its KEY, or nil, as operators said it of campaigns, tenants and channels. What is said of a
-- channel's cancel concerns the calls that were there.
local function said_of(c, channel)
  if not anything_said then
    return nil
  end
  local s = c.s
  local keys = {'campaign:' .. s[CAMPAIGN], 'tenant:' .. string.match(s[CAMPAIGN], '^[^/]*'), 'channel:' .. channel}
  local said = call('HMGET', shard .. ':ctl', 'cancel:' .. keys[1], 'cancel:' .. keys[2], 'cancel:' .. keys[3],
    'pause:' .. keys[1], 'pause:' .. keys[2], 'pause:' .. keys[3])
  if said[1] or said[2] or (said[3] and s[CREATED] <= tonumber(said[3])) then
    return 'cancel'
  end
  for i, key in ipairs(keys) do
    if said[3 + i] then
      return 'pause', key
    end
  end
end

-- The same, and what was said of this call alone.
local function control_of(c, channel)
  if c.s[CANCELLED] == 1 then
    return 'cancel'
  end
  local what, key = said_of(c, channel)
  if what ~= 'cancel' and c.s[HOLD] == 'call' then
    return 'pause', 'call'
  end
  return what, key
end

local function hold(c, key)
  local s = c.s
  if (s[HOLD] or '') == '' then
    s[HELD_AT] = now
  end
  s[HOLD] = key
end

-- The time to give up did not run meanwhile.
local function let_go(c)
  local s = c.s
  if (s[HOLD] or '') ~= '' and s[UNREACHED_SINCE] > 0 then
    s[UNREACHED_SINCE] = s[UNREACHED_SINCE] + math.max(now - s[HELD_AT], 0)
  end
  s[HOLD] = ''
end

-- ---- what comes next for a call ----

-- When placing ends for a call that reaches nobody: expires_at, or give_up after the first attempt that reached nobody.
local function reach_limit(c)
  local expires = policy(c)[P_EXPIRES]
  return expires > 0 and expires or c.s[UNREACHED_SINCE] + give_up_ms
end

-- The time of the next attempt after this latest one, or nil when none will follow. `jitter` is in thousandths. c.elsewhere:
-- another channel is there to be tried at once.
local function next_attempt_at(c, jitter)
  local s, a, p = c.s, c.a, policy(c)
  if a[A_UNREACHED] == 1 then
    local limit = reach_limit(c)
    if c.elsewhere then
      return now < limit and now or nil
    end
    local wait = math.min(BACKOFF_FIRST_MS * 2 ^ math.min(s[UNREACHED_N] - 1, 20), BACKOFF_MAX_MS)
    wait = floor(wait * (0.75 + jitter / 2000))
    return now < limit and math.min(now + wait, limit) or nil
  end
  local asked_for = band(p[P_ON], lshift(1, a[A_STATUS])) ~= 0 and s[SPENT] < p[P_MAX]
  if not asked_for or a[A_CLOSED] == NO_REPORT or a[A_PERMANENT] == 1 or (in_doubt(a) and p[P_REDIAL] == 0) then
    return nil
  end
  local delays = p[P_DELAYS]
  -- Up to a tenth later: a crowd that failed together does not come again together.
  local at = now + floor((delays[math.min(s[SPENT], #delays)] or 0) * (1000 + jitter / 10))
  return (p[P_EXPIRES] == 0 or at < p[P_EXPIRES]) and at or nil
end

local function enter(s, phase, final, next_at)
  s[PHASE], s[FINAL], s[NEXT_AT] = phase, final, next_at
end

-- Derives phase, final and the next attempt from the evidence; the same evidence in any order ends here alike.
local function conclude(c, jitter)
  local s, a = c.s, c.a
  if s[WON] > 0 then
    enter(s, s[TOKEN] ~= '' and PLACING or DONE, 1, 0)
  elseif c.n < s[ATTEMPT] or s[TOKEN] ~= '' then
    return -- an earlier attempt says nothing of what comes next; a claim waits for its outcome
  elseif a[A_TERMINAL] == 1 or in_doubt(a) then
    local at = s[PHASE] == WAITING and s[NEXT_AT] or nil
    local again = next_attempt_at(c, jitter)
    if again and control_of(c, s[CHANNEL]) == 'cancel' then
      again, s[CANCELLED] = nil, 1
    end
    if again then
      enter(s, WAITING, 0, at or again)
    else
      enter(s, DONE, 1, 0)
    end
  else
    enter(s, PLACED, 0, 0)
  end
end

-- ---- merging evidence ----

local function least(a, b)
  if a == '' or (b ~= '' and b < a) then
    return b
  end
  return a
end

local function merge_reason(a, status, kind, code, detail)
  local better = status > a[A_STATUS]
  if status == a[A_STATUS] and (code ~= '' or detail ~= '') then
    local none = a[A_CODE] == '' and a[A_DETAIL] == ''
    better = none or kind > a[A_KIND] or
      (kind == a[A_KIND] and (code < a[A_CODE] or (code == a[A_CODE] and detail < a[A_DETAIL])))
  end
  if better then
    a[A_KIND], a[A_CODE], a[A_DETAIL] = kind, code, detail
  end
end

local function merge_cost(a, cost, currency)
  if cost > a[A_COST] then
    a[A_COST], a[A_CURRENCY] = cost, currency
  elseif cost >= 0 and cost == a[A_COST] then
    a[A_CURRENCY] = least(a[A_CURRENCY], currency)
  end
end

local function merge_id(c, id, response)
  local a = c.a
  if response then
    c.dirty = c.dirty or a[A_ID_SURE] == 0
    a[A_ID], a[A_ID_SURE] = a[A_ID_SURE] == 1 and least(a[A_ID], id) or id, 1
  elseif a[A_ID_SURE] == 0 then
    a[A_ID] = least(a[A_ID], id)
  end
end

-- Adds a hop with the provider's time (0: implied by another one). Its bit when it was not there, else 0.
local function merge_hop(c, hop, at, detail)
  local a, i = c.a, A_HOPS + 3 * hop
  if at > 0 and (a[i] == 0 or at < a[i]) then
    a[i] = at
    c.dirty = true
  end
  if detail ~= '' and (a[i + 2] == '' or detail < a[i + 2]) then
    a[i + 2] = detail
    c.dirty = true
  end
  if a[i + 1] > 0 then
    return 0
  end
  a[i + 1] = now > c.s[UPDATED] and now or c.s[UPDATED]
  return lshift(1, hop)
end

-- Adds the evidence's hops and those that it implies: any report proves message_out, Completed proves connected.
-- Returns the set of those that are new.
local function merge_hops(c, e, status, reported)
  local said, new = e[E_HOPS], 0
  for _, hop in ipairs(hops_in(said)) do
    new = new + merge_hop(c, hop, e[E_AT], e[E_HOP_DETAIL])
  end
  if reported and said % 2 == 0 then
    new = new + merge_hop(c, MESSAGE_OUT, 0, '')
  end
  if status == COMPLETED and band(said, CONNECTED_BIT) == 0 then
    new = new + merge_hop(c, CONNECTED, e[E_ANSWERED], '')
  end
  return new
end

-- How long it rang: the provider's word, else the time between dialing and the answer or the end. Derived once the
-- attempt is over, so that refined times of its hops do not make a change each.
local function ring_of(a)
  if a[A_RING_GIVEN] >= 0 or a[A_TERMINAL] == 0 then
    return a[A_RING_GIVEN]
  end
  local from = a[A_HOPS + 3 * DIALING]
  local to = a[A_STATUS] == COMPLETED and (a[A_ANSWERED] > 0 and a[A_ANSWERED] or a[A_HOPS + 3 * CONNECTED]) or
    a[A_HOPS + 3 * TERMINATE]
  if from == 0 or to == 0 or to < from then
    return -1
  end
  return floor((to - from) / 1000)
end

-- Merges everything but hops; c.dirty tells that something is new.
local function merge(c, e, status, reported, response)
  local a = c.a
  merge_reason(a, status, e[E_KIND], e[E_CODE], e[E_DETAIL])
  if status > a[A_STATUS] then
    a[A_STATUS] = status
  end
  if e[E_TERMINAL] > a[A_TERMINAL] then
    a[A_TERMINAL], c.dirty = e[E_TERMINAL], true
  end
  if reported and (a[A_REPORTED] == 0 or a[A_UNREACHED] == 1) then
    a[A_REPORTED], a[A_UNREACHED], c.dirty = 1, 0, true
  end
  if e[E_PERMANENT] > a[A_PERMANENT] then
    a[A_PERMANENT], c.dirty = 1, true
  end
  if e[E_RING] > a[A_RING_GIVEN] then
    a[A_RING_GIVEN], c.dirty = e[E_RING], true
  end
  if e[E_TALK] > a[A_TALK] then
    a[A_TALK] = e[E_TALK]
  end
  if e[E_COST] >= 0 then
    merge_cost(a, e[E_COST], e[E_CURRENCY])
  end
  if e[E_ID] ~= '' then
    merge_id(c, e[E_ID], response)
  end
  if e[E_ANSWERED] > 0 and (a[A_ANSWERED] == 0 or e[E_ANSWERED] < a[A_ANSWERED]) then
    a[A_ANSWERED], c.dirty = e[E_ANSWERED], true
  end
end

-- The call's status: Completed when any attempt is, else that of the latest attempt with evidence.
local function merge_status(c)
  local s, a, n = c.s, c.a, c.n
  if a[A_STATUS] == COMPLETED and (s[WON] == 0 or n <= s[WON]) then
    s[WON], s[STATUS], s[SOURCE], s[REASON], s[CHANNEL] = n, COMPLETED, n, a[A_CODE], a[A_CHANNEL]
  elseif s[WON] == 0 and n >= s[SOURCE] then
    s[STATUS], s[SOURCE], s[REASON], s[CHANNEL] = a[A_STATUS], n, a[A_CODE], a[A_CHANNEL]
  end
end

-- Which of the new hops carries a change of the call; -1: none.
local function carrier(status, new)
  local prefer = status == COMPLETED and CONNECTED or status >= FAILED and TERMINATE or MESSAGE_OUT
  if band(new, lshift(1, prefer)) ~= 0 then
    return prefer
  end
  return status >= FAILED and status < COMPLETED and new % 2 == 1 and MESSAGE_OUT or -1
end

local function kind_of(c, changed)
  local s = c.s
  if s[NEXT_AT] > 0 and s[NEXT_AT] ~= c.next_at then
    return 'waiting'
  end
  return s[FINAL] == 1 and (c.final == 0 or changed) and 'final' or 'status'
end

-- The call changed: hops before the one that proves it tell of the call as it was, those after it as it is.
local function emit_call_change(c, old, new, at, trace)
  local s = c.s
  local status, final, next_at = s[STATUS], s[FINAL], s[NEXT_AT]
  local kind, carried = kind_of(c, status ~= old.call_status), carrier(status, new)
  local function change()
    s[STATUS], s[FINAL], s[NEXT_AT] = status, final, next_at
    emit(c, kind, carried, old.call_status, at, trace)
  end
  if carried < 0 then
    change()
  else
    s[STATUS], s[FINAL], s[NEXT_AT] = old.call_status, old.final, old.next_at
  end
  for _, hop in ipairs(hops_in(new)) do
    if hop == carried then
      change()
    else
      emit(c, 'hop', hop, s[STATUS], at, trace)
    end
  end
end

-- One event per new hop; a change of the call rides on the hop that proves it; nothing new, no event.
local function emit_changes(c, old, new, at, trace)
  local s, a = c.s, c.a
  if s[STATUS] ~= old.call_status or s[FINAL] ~= old.final or s[NEXT_AT] ~= old.next_at then
    return emit_call_change(c, old, new, at, trace)
  end
  for _, hop in ipairs(hops_in(new)) do
    emit(c, 'hop', hop, s[STATUS], at, trace)
  end
  if new == 0 and (old.status ~= a[A_STATUS] or old.code ~= a[A_CODE] or old.detail ~= a[A_DETAIL] or
      old.ring ~= a[A_RING] or old.talk ~= a[A_TALK] or old.cost ~= a[A_COST] or old.currency ~= a[A_CURRENCY] or
      old.id ~= a[A_ID]) then
    with_tail(a)[A_REFINED] = (a[A_REFINED] or 0) + 1
    emit(c, kind_of(c, true), -1, s[STATUS], at, trace)
  end
end

-- Applies evidence to attempt c.n of the call. `reported`: the provider said it of itself (a callback, a look-up, an
-- accepting response); `response`: it is the placement's response. Does not save; call_changed() tells whether there
-- is something to.
local function apply(c, e, reported, response, jitter, trace)
  local s, a = c.s, c.a
  local old = {status = a[A_STATUS], code = a[A_CODE], counted = a[A_COUNTED] or a[A_CODE], detail = a[A_DETAIL], ring = a[A_RING], talk = a[A_TALK],
    cost = a[A_COST], currency = a[A_CURRENCY], id = a[A_ID], call_status = s[STATUS], final = s[FINAL],
    next_at = s[NEXT_AT]}
  local unspent = a[A_STATUS] == 0 or a[A_UNREACHED] == 1
  local status = e[E_STATUS]
  if reported and status < PENDING then
    status = PENDING
  end
  merge(c, e, status, reported, response)
  local new = merge_hops(c, e, status, reported)
  a[A_RING] = ring_of(a)
  if a[A_STATUS] > 0 then
    if unspent and a[A_UNREACHED] == 0 then
      s[SPENT] = s[SPENT] + 1
      s[UNREACHED_SINCE], s[UNREACHED_N] = 0, 0 -- somebody was reached, or may have been
    end
    merge_status(c)
    count_attempt(s, a, old, new)
    conclude(c, jitter)
  end
  emit_changes(c, old, new, e[E_AT], trace)
  if a[A_TERMINAL] == 1 then
    release(c)
  end
end

-- Every visible change emits an event; c.dirty marks the others (a hop's earlier time).
local function call_changed(c)
  return c.dirty or c.s[SEQ] ~= c.seq or c.s[PHASE] ~= c.phase
end

-- True when attempt c.n is there. The one after the latest is made where our own worker brings the outcome of a claim that Redis
-- forgot (a failover): it was sent.
local function attempt_known(c, channel, provider)
  local s = c.s
  if c.a or c.n ~= s[ATTEMPT] + 1 or s[TOKEN] ~= '' then
    return c.a ~= nil
  end
  s[ATTEMPT], s[BUSY] = c.n, 0
  enter(s, PLACED, 0, 0) -- it does not wait for its retry any more: what comes next has its own time
  c.a = attempt_new(channel, provider)
  return true
end

-- ---- waiting ----

-- The time of a waiting call's next look: not past its expiry, which is due like an attempt.
local function before_expiry(c, at)
  local expires = policy(c)[P_EXPIRES]
  return expires > 0 and expires < at and expires or at
end

-- Ends a call that waits, without saving it: with its status, or dropped for that reason when it has none.
local function wind_up(c, reason, trace)
  local s, previous = c.s, c.s[STATUS]
  if reason ~= 'expired' then
    s[CANCELLED] = 1
  end
  if s[STATUS] == 0 then
    s[PHASE], s[FINAL], s[NEXT_AT], s[DROP] = DROPPED, 1, 0, reason
    emit(c, 'dropped', -1, previous, 0, trace)
  else
    enter(s, DONE, 1, 0)
    emit(c, 'final', -1, previous, 0, trace)
  end
end

-- Ends a waiting call whose expires_at or time to give up has come.
local function run_out(c, trace)
  wind_up(c, 'expired', trace)
  call_save(c)
end

-- A call that waits, and that may be dialled on the channel as far as its time goes: does what operators said, without
-- saving it. True when it may not be dialled.
local function obey(c, channel, trace)
  local what, key = control_of(c, channel)
  if what == 'cancel' then
    wind_up(c, 'cancelled', trace)
  elseif what == 'pause' then
    hold(c, key)
  else
    let_go(c)
  end
  return what ~= nil
end

local function is_over(c)
  local expires = policy(c)[P_EXPIRES]
  if expires > 0 and expires <= now then
    return true
  end
  return c.s[UNREACHED_SINCE] > 0 and expires == 0 and reach_limit(c) <= now
end

-- ---- the end of a script ----

-- Redis wants text; the deltas are few and small, so their texts are made once.
local texts = {}
local function text_of(n)
  local text = texts[n]
  if not text then
    text = string.format('%.0f', n)
    texts[n] = text
  end
  return text
end

-- What is zero is not kept.
local function write_counts(prefix, index, all, pattern, expire)
  for name, counts in pairs(all) do
    local key, changed, moved = shard .. prefix .. name, false, {}
    for field, delta in pairs(counts) do
      if delta ~= 0 then
        local value = call('HINCRBY', key, field, text_of(delta))
        if value == 0 then
          call('HDEL', key, field)
        end
        reasons.note(moved, pattern, field, delta, value)
        changed = true
      end
    end
    reasons.write(key, moved)
    if changed then
      call('ZADD', shard .. index, now, name)
      expire(key, name, counts)
    end
  end
end

-- Writes the collected counters and the outbox entry. Returns {outbox id, packed events, packed results}, and behind them the calls
-- that cannot be read, as sentences.
local function finish(results)
  write_counts(':n:', ':campaigns', campaigns, '^([^|]*|)r:(.*)$', function(key, name)
    if first_calls[name] then
      call('HSETNX', key, 'first', string.format('%.0f', now))
    end
  end)
  write_counts(':w:', ':windows', windows, '^(.-)r:(.*)$', function(key, name, counts)
    if counts.attempts then
      local minute = tonumber(string.match(name, '|(%d+)$'))
      call('PEXPIREAT', key, string.format('%.0f', minute + WINDOW_KEEP_MS))
    end
  end)
  for channel, delta in pairs(waiting) do
    if delta ~= 0 then
      call('HINCRBY', shard .. ':waiting', channel, text_of(delta))
    end
  end
  local packed = #results > 0 and pack(results) or ''
  if #events == 0 then
    return {'', '', packed, unpack(reading.unreadable)}
  end
  local blob = pack(events)
  return {call('XADD', shard .. ':out', '*', 'e', blob), blob, packed, unpack(reading.unreadable)}
end
