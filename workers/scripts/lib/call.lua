-- What a call is in Redis, and the only code that changes one. Included by every script that does.
--
-- KEYS[1] is the shard, e.g. "{ivr:07}". Every key begins with it, so a script touches one slot of a Redis Cluster:
--   :call:TENANT/CALL_ID    hash: s state, p policy, i identity (JSON fragment for events), q request, f fingerprint,
--                           a1, a2, ... attempts; s, p and attempts are MessagePack arrays (positions below)
--   :due                    zset of waiting calls, by the time of their next attempt
--   :open                   zset of placing and placed calls, by the time somebody must settle them
--   :out                    stream, the outbox: field e holds a MessagePack array of events
--   :n:TENANT/CAMPAIGN      hash of counters, fields CHANNEL|what
--   :w:TENANT/CAMPAIGN|CHANNEL|MINUTE   hash of a one-minute window's counters, lives 48 h
--   :campaigns, :windows    zsets of those two, by their last change
-- ARGV[1] is cmsgpack {retention_ms, pending_limit_ms, give_up_ms}.
--
-- Promises kept here: a status is the maximum of its evidence, and every other field merges commutatively; counters, the
-- event and the call move together; applying the same evidence again changes nothing and emits nothing.

local shard = KEYS[1]
local retention_ms, pending_limit_ms, give_up_ms = unpack(cmsgpack.unpack(ARGV[1]))
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Positions in a call's state.
local SEQ, PHASE, STATUS, FINAL, ATTEMPT, CAMPAIGN, CHANNEL, CREATED, UPDATED, NEXT_AT, DROP, SPENT, UNREACHED_SINCE,
  UNREACHED_N, TOKEN, REASON, SOURCE, WON, UNREACHED_KEPT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19
-- Phases.
local WAITING, PLACING, PLACED, DONE, DROPPED = 1, 2, 3, 4, 5
-- Statuses (common/model/status.h).
local PENDING, GATEWAY_UNAVAILABLE, FAILED, COMPLETED = 1, 2, 3, 7
-- Positions in a policy: retry.on is a mask of 2^status.
local P_MAX, P_ON, P_DELAYS, P_REDIAL, P_EXPIRES = 1, 2, 3, 4, 5
-- Positions in an attempt. A_HOPS is a flat array: provider's time (0 unknown), ours (0 not seen), detail; for each hop.
local A_STATUS, A_TERMINAL, A_KIND, A_CODE, A_DETAIL, A_CHANNEL, A_PROVIDER, A_ID, A_ID_SURE, A_PLACED, A_RING, A_TALK,
  A_COST, A_CURRENCY, A_HOPS, A_ANSWERED, A_REPORTED, A_UNREACHED, A_PERMANENT, A_CLOSED, A_RING_GIVEN =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21
-- Hops, in their order (common/model/hop.h).
local MESSAGE_OUT, DIALING, CONNECTED, TERMINATE, SESSION_COMPLETED = 0, 1, 2, 3, 4
-- Positions in evidence (workers/store/pack.c writes it).
local E_STATUS, E_TERMINAL, E_HOPS, E_AT, E_ANSWERED, E_RING, E_TALK, E_COST, E_CURRENCY, E_KIND, E_CODE, E_DETAIL,
  E_HOP_DETAIL, E_ID = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14

local WINDOW_MS, WINDOW_KEEP_MS = 60000, 48 * 3600 * 1000
local BACKOFF_FIRST_MS, BACKOFF_MAX_MS = 1000, 300000
local KEEP_UNREACHED = 10

local pack, unpack_value, floor, call = cmsgpack.pack, cmsgpack.unpack, math.floor, redis.call
local band, lshift = bit.band, bit.lshift

-- ---- counters: collected over the whole batch, written once ----

local campaigns, windows, events, first_calls = {}, {}, {}, {}

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

-- A call stands in exactly one of: waiting, dropped by reason, its status.
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

-- The window of an attempt's minute, or nil when its counters are gone.
local function window_of(s, a)
  local minute = a[A_PLACED] - a[A_PLACED] % WINDOW_MS
  if minute + WINDOW_KEEP_MS <= now then
    return nil
  end
  return counts_of(windows, s[CAMPAIGN] .. '|' .. a[A_CHANNEL] .. '|' .. string.format('%.0f', minute))
end

-- Seconds to a histogram's bucket: exact to 60, then 5 % wide (workers/store/counters.c turns it back).
local function bucket(seconds)
  if seconds <= 60 then
    return seconds
  end
  return 60 + math.ceil(math.log(seconds / 60) / math.log(1.05) - 1e-9)
end

-- Moves the attempt's part of campaign and window from what it was (`old`, a copy of the changeable values) to what it is.
local function count_attempt(s, a, old)
  local counts, channel, window = counts_of(campaigns, s[CAMPAIGN]), a[A_CHANNEL] .. '|', window_of(s, a)
  local function both(field, delta)
    add(counts, channel .. field, delta)
    if window then
      add(window, field, delta)
    end
  end
  local function seconds(name, before, after)
    if before == after then
      return
    end
    if before >= 0 then
      both(name .. ':' .. bucket(before), -1)
      both(name .. 'sum', -before)
    end
    if after >= 0 then
      both(name .. ':' .. bucket(after), 1)
      both(name .. 'sum', after)
    end
  end
  if old.status == 0 then
    both('attempts', 1)
  end
  if window and (old.status ~= a[A_STATUS] or old.code ~= a[A_CODE]) then
    if old.status > 0 then
      add(window, 's:' .. old.status, -1)
      if old.code ~= '' then
        add(window, 'r:' .. old.code, -1)
      end
    end
    add(window, 's:' .. a[A_STATUS], 1)
    if a[A_CODE] ~= '' then
      add(window, 'r:' .. a[A_CODE], 1)
    end
  end
  for _, hop in ipairs(old.new_hops) do
    both('h:' .. hop, 1)
  end
  seconds('ring', old.ring, a[A_RING])
  seconds('talk', old.talk, a[A_TALK])
  if old.cost ~= a[A_COST] or old.currency ~= a[A_CURRENCY] then
    if old.cost >= 0 then
      both('cost:' .. old.currency, -old.cost)
    end
    if a[A_COST] >= 0 then
      both('cost:' .. a[A_CURRENCY], a[A_COST])
    end
  end
end

-- ---- a call while a script works on it ----

local function attempt_new(channel, provider)
  return {0, 0, 0, '', '', channel, provider, '', 0, now, -1, -1, -1, '', {0, 0, '', 0, 0, '', 0, 0, '', 0, 0, '', 0, 0, ''},
    0, 0, 0, 0, 0, -1}
end

-- The call with attempt `n` (nil: its latest), or nil when Redis does not know it; c.a is nil when there is no such attempt.
local function call_load(id, n)
  local key = shard .. ':call:' .. id
  local s, i, p, a
  if n then
    s, i, p, a = unpack(call('HMGET', key, 's', 'i', 'p', 'a' .. n))
  else
    s, i, p = unpack(call('HMGET', key, 's', 'i', 'p'))
  end
  if not s then
    return nil
  end
  s = unpack_value(s)
  if not n then
    n = s[ATTEMPT]
    a = n > 0 and call('HGET', key, 'a' .. n)
  end
  return {id = id, key = key, s = s, identity = i, packed_policy = p, n = n, a = a and unpack_value(a) or nil,
    phase = s[PHASE], final = s[FINAL], next_at = s[NEXT_AT], counted = {unpack(s)}}
end

local function policy(c)
  if not c.policy then
    c.policy = unpack_value(c.packed_policy)
  end
  return c.policy
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

local function same_count(a, b)
  return a[STATUS] == b[STATUS] and a[PHASE] == b[PHASE] and a[FINAL] == b[FINAL] and a[CHANNEL] == b[CHANNEL] and
    a[REASON] == b[REASON] and a[SOURCE] == b[SOURCE] and a[ATTEMPT] == b[ATTEMPT] and a[DROP] == b[DROP]
end

-- Writes the call back, with its indexes and its place in the counters.
local function call_save(c)
  local s = c.s
  touch(s)
  if c.a then
    call('HSET', c.key, 's', pack(s), 'a' .. c.n, pack(c.a))
  else
    call('HSET', c.key, 's', pack(s))
  end
  if not same_count(c.counted, s) then
    count_call(c.counted, -1)
    count_call(s, 1)
  end
  if s[PHASE] == WAITING then
    call('ZADD', shard .. ':due', s[NEXT_AT], c.id)
  elseif c.phase == WAITING then
    call('ZREM', shard .. ':due', c.id)
  end
  if s[PHASE] == PLACED and c.phase ~= PLACED then
    call('ZADD', shard .. ':open', c.a[A_PLACED] + pending_limit_ms, c.id)
  elseif s[PHASE] ~= PLACED and s[PHASE] ~= PLACING and (c.phase == PLACED or c.phase == PLACING) then
    call('ZREM', shard .. ':open', c.id)
  end
  if s[FINAL] == 1 and c.final == 0 then
    call('PEXPIRE', c.key, retention_ms)
  elseif s[FINAL] == 0 and c.final == 1 then
    call('PERSIST', c.key)
  end
end

-- ---- what comes next for a call ----

local function in_doubt(a)
  return a[A_STATUS] == GATEWAY_UNAVAILABLE and a[A_REPORTED] == 0 and a[A_UNREACHED] == 0
end

-- When placing ends for a call that reaches nobody: expires_at, or give_up after the first attempt that reached nobody.
local function reach_limit(c)
  local expires = policy(c)[P_EXPIRES]
  return expires > 0 and expires or c.s[UNREACHED_SINCE] + give_up_ms
end

-- The time of the next attempt after this latest one, or nil when none will follow. `jitter` is in thousandths.
local function next_attempt_at(c, jitter)
  local s, a, p = c.s, c.a, policy(c)
  if a[A_UNREACHED] == 1 then
    local limit = reach_limit(c)
    local wait = math.min(BACKOFF_FIRST_MS * 2 ^ math.min(s[UNREACHED_N] - 1, 20), BACKOFF_MAX_MS)
    wait = floor(wait * (0.75 + jitter / 2000))
    return now < limit and math.min(now + wait, limit) or nil
  end
  local asked_for = band(p[P_ON], lshift(1, a[A_STATUS])) ~= 0 and s[SPENT] < p[P_MAX]
  if not asked_for or a[A_CLOSED] == 1 or a[A_PERMANENT] == 1 or (in_doubt(a) and p[P_REDIAL] == 0) then
    return nil
  end
  local delays = p[P_DELAYS]
  local at = now + (delays[math.min(s[SPENT], #delays)] or 0) * 1000
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

-- Adds a hop with the provider's time (0: implied by another one); notes it in `new` when it was not there.
local function merge_hop(c, hop, at, detail, new)
  local hops, i = c.a[A_HOPS], hop * 3
  if hops[i + 2] == 0 then
    hops[i + 2] = now > c.s[UPDATED] and now or c.s[UPDATED]
    new[#new + 1] = hop
  end
  if at > 0 and (hops[i + 1] == 0 or at < hops[i + 1]) then
    hops[i + 1] = at
  end
  hops[i + 3] = least(hops[i + 3], detail)
end

-- How long it rang: the provider's word, else the time between dialing and the answer or the end. Derived once the attempt
-- is over, so that refined times of its hops do not make a change each.
local function ring_of(a)
  if a[A_RING_GIVEN] >= 0 or a[A_TERMINAL] == 0 then
    return a[A_RING_GIVEN]
  end
  local hops = a[A_HOPS]
  local from = hops[DIALING * 3 + 1]
  local to = a[A_STATUS] == COMPLETED and (a[A_ANSWERED] > 0 and a[A_ANSWERED] or hops[CONNECTED * 3 + 1]) or
    hops[TERMINATE * 3 + 1]
  if from == 0 or to == 0 or to < from then
    return -1
  end
  return floor((to - from) / 1000)
end

local function merge(c, e, by)
  local a, new = c.a, {}
  local old = {status = a[A_STATUS], code = a[A_CODE], detail = a[A_DETAIL], ring = a[A_RING], talk = a[A_TALK],
    cost = a[A_COST], currency = a[A_CURRENCY], id = a[A_ID], new_hops = new}
  local reported = by.reported
  local status = (reported and e[E_STATUS] < PENDING) and PENDING or e[E_STATUS]
  merge_reason(a, status, e[E_KIND], e[E_CODE], e[E_DETAIL])
  a[A_STATUS] = math.max(a[A_STATUS], status)
  a[A_TERMINAL] = math.max(a[A_TERMINAL], e[E_TERMINAL])
  if reported then
    a[A_REPORTED], a[A_UNREACHED] = 1, 0
  end
  a[A_RING_GIVEN] = math.max(a[A_RING_GIVEN], e[E_RING])
  a[A_TALK] = math.max(a[A_TALK], e[E_TALK])
  merge_cost(a, e[E_COST], e[E_CURRENCY])
  if e[E_ID] ~= '' then
    if by.response then
      a[A_ID], a[A_ID_SURE] = e[E_ID], 1
    elseif a[A_ID_SURE] == 0 then
      a[A_ID] = least(a[A_ID], e[E_ID])
    end
  end
  if e[E_ANSWERED] > 0 and (a[A_ANSWERED] == 0 or e[E_ANSWERED] < a[A_ANSWERED]) then
    a[A_ANSWERED] = e[E_ANSWERED]
  end
  for hop = MESSAGE_OUT, SESSION_COMPLETED do
    if band(e[E_HOPS], lshift(1, hop)) ~= 0 then
      merge_hop(c, hop, e[E_AT], e[E_HOP_DETAIL], new)
    elseif (hop == MESSAGE_OUT and reported) or (hop == CONNECTED and status == COMPLETED) then
      merge_hop(c, hop, hop == CONNECTED and e[E_ANSWERED] or 0, '', new)
    end
  end
  a[A_RING] = ring_of(a)
  return old
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

-- Which of the new hops carries a change of the call.
local function carrier(status, new)
  local prefer = status == COMPLETED and CONNECTED or status >= FAILED and TERMINATE or MESSAGE_OUT
  for _, hop in ipairs(new) do
    if hop == prefer then
      return hop
    end
  end
  return status >= FAILED and status < COMPLETED and new[1] == MESSAGE_OUT and MESSAGE_OUT or -1
end

local function kind_of(c, changed)
  local s = c.s
  if s[NEXT_AT] > 0 and s[NEXT_AT] ~= c.next_at then
    return 'waiting'
  end
  return s[FINAL] == 1 and (c.final == 0 or changed) and 'final' or 'status'
end

-- One event per new hop; a change of the call rides on the hop that proves it; nothing new, no event.
local function emit_changes(c, old, before, e, trace)
  local s, a, new = c.s, c.a, old.new_hops
  local after = {s[STATUS], s[FINAL], s[NEXT_AT]}
  local call_changed = after[1] ~= before[1] or after[2] ~= before[2] or after[3] ~= before[3]
  local value_changed = old.status ~= a[A_STATUS] or old.code ~= a[A_CODE] or old.detail ~= a[A_DETAIL] or
    old.ring ~= a[A_RING] or old.talk ~= a[A_TALK] or old.cost ~= a[A_COST] or old.currency ~= a[A_CURRENCY] or
    old.id ~= a[A_ID]
  if not call_changed then
    for _, hop in ipairs(new) do
      emit(c, 'hop', hop, s[STATUS], e[E_AT], trace)
    end
    if #new == 0 and value_changed then
      emit(c, kind_of(c, true), -1, s[STATUS], e[E_AT], trace)
    end
    return
  end
  local kind, carried = kind_of(c, after[1] ~= before[1]), carrier(after[1], new)
  s[STATUS], s[FINAL], s[NEXT_AT] = before[1], before[2], before[3]
  local done = false
  local function change()
    s[STATUS], s[FINAL], s[NEXT_AT] = after[1], after[2], after[3]
    emit(c, kind, carried, before[1], e[E_AT], trace)
    done = true
  end
  if carried < 0 then
    change()
  end
  for _, hop in ipairs(new) do
    if hop == carried then
      change()
    else
      emit(c, 'hop', hop, s[STATUS], e[E_AT], trace)
    end
  end
  assert(done)
end

-- Applies evidence to attempt c.n of the call. `by`: {reported = the provider said it of itself (callback, look-up, accepting
-- response), response = it is the placement's response, jitter, trace}. Does not save.
local function apply(c, e, by)
  local s, a = c.s, c.a
  local before = {s[STATUS], s[FINAL], s[NEXT_AT]}
  local unspent = a[A_STATUS] == 0 or a[A_UNREACHED] == 1
  local old = merge(c, e, by)
  if a[A_STATUS] > 0 and unspent and a[A_UNREACHED] == 0 then
    s[SPENT] = s[SPENT] + 1
  end
  if a[A_STATUS] > 0 then
    merge_status(c)
    count_attempt(s, a, old)
    conclude(c, by.jitter or 0)
  end
  emit_changes(c, old, before, e, by.trace)
end

-- ---- the end of a script ----

local function write_counts(prefix, index, all, expire)
  for name, counts in pairs(all) do
    local key, changed = shard .. prefix .. name, false
    for field, delta in pairs(counts) do
      if delta ~= 0 then
        call('HINCRBY', key, field, string.format('%.0f', delta))
        changed = true
      end
    end
    if changed then
      call('ZADD', shard .. index, now, name)
      expire(key, name, counts)
    end
  end
end

-- Writes the collected counters and the outbox entry. Returns {outbox id, packed events, packed results}.
local function finish(results)
  write_counts(':n:', ':campaigns', campaigns, function(key, name)
    if first_calls[name] then
      call('HSETNX', key, 'first', string.format('%.0f', now))
    end
  end)
  write_counts(':w:', ':windows', windows, function(key, name, counts)
    if counts.attempts then
      local minute = tonumber(string.match(name, '|(%d+)$'))
      call('PEXPIREAT', key, string.format('%.0f', minute + WINDOW_KEEP_MS))
    end
  end)
  local packed = #results > 0 and pack(results) or ''
  if #events == 0 then
    return {'', '', packed}
  end
  local blob = pack(events)
  return {call('XADD', shard .. ':out', '*', 'e', blob), blob, packed}
end
