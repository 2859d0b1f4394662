-- Admission to a channel: tickets in, tickets out in turn, send times, lines, and the circuit.
--
-- KEYS[1] is the channel's slot, e.g. "{ivr:ch:ke-main}". What stands there are hints; the shards are the truth of
-- calls. A ticket, and a line, is named by its attempt: "tenant/call_id/attempt".
--   :state           hash: slot (the last send time given, us), queued, shut ('', "circuit", "suspended"), why,
--                    since, probe_at, backoff, fails, failed_at, epoch (how often it was shut), proved (fingerprints
--                    of the settings that the provider has accepted a request with, the newest first), proved_at (when
--                    it last did), proofs (how often it was proved), heard_by and heard_at (which worker asked last,
--                    and when), other_by and other_at (the one before it)
--   :q:TENANT        zset of tickets, by priority and then arrival
--   :turns           list of the tenants that have tickets, the next one first
--   :served          hash by tenant: turns it had, and the lower priority that had one last
--   :taken           zset of tickets that a worker has in hand, by the time from which another may have them
--   :trials          zset of the send times that were given while the settings were not proved, by the time from which
--   they
--                    count for nothing
--   :lines           zset of lines in use, by their deadline; :lines:TENANT the same of one tenant
-- ARGV[1] is a cmsgpack array, in the order of the first lines below:
--   between (us between two placements, 0 no rate), lines (0 no cap), tenants' caps (map), how far ahead a send time
--   may be (us), lease (ms in hand), tickets wanted, how many of them without a send time, send times wanted for
--   tickets in hand, placements that left long after their send time, what placements said since the last time (epoch,
--   successes, failures since the last success, suspend 0/1, why), resume (when an operator resumed the channel or its
--   file was read again, ms, 0), the proof (fingerprint of the asker's settings; the asker, a number; coming 1: its
--   first question, going 1: it is about to end; accepted 1: the provider took a request; ended: trials that are over;
--   the proofs that there were when they began; ms that a trial may take), tickets to queue (ticket, priority, ...),
--   done (claimed: ticket, line ms, ...), dropped (not claimed), back (not claimed, to wait again: ticket, priority,
--   ...).
-- Returns cmsgpack {queued, lines in use, shut, why, since, epoch, tickets, send times (us from now; first for what is
-- in hand, then for the tickets in their order), us until a send time may be had, proved 0/1, proofs}.
--
-- Promises: send times are at least `between` apart, whoever asks, and tickets are handed out with theirs, so that
-- turns are kept; a line is taken with its ticket, once, and never above a cap; until the provider has accepted a
-- request with the asker's settings, no more than TRIALS are on their way, whoever asks; tenants have equal turns, and
-- of a tenant's the lower priorities in rotation one in 16; a ticket whose holder died is handed out again with its
-- line; while the channel is shut one send time per probe is given. Asked twice: queued once, dropped once; tickets of
-- a lost answer come again after their lease, its send times are gone.
local call, floor = redis.call, math.floor

local PRIORITY = 2 ^ 42 -- above any arrival in ms
local LOWER_TURN = 16
-- A line's deadline until its claim says better: longer than the longest call.
local LINE_FIRST_MS = 12 * 3600 * 1000
-- The last send time is at most so far ahead: what late placements cost beyond it is forgiven.
local SLOT_AHEAD_US, SLOTS_AHEAD = 2000000, 4
-- So many in a row, each within so long of the one before, as circuit breakers elsewhere have it: a channel that
-- carries a call a minute needs none, and the doubts of an hour are no outage.
local CIRCUIT_FAILS, CIRCUIT_WITHIN_MS = 20, 10000
-- Requests on their way while nobody knows whether the key is right: a hundred that are refused at one moment lock an
-- account.
local TRIALS = 8
-- A key that nobody has used for so long may have been taken away meanwhile.
local PROOF_MS = 3600000
-- A worker that is there asks four times as often. One that comes when nobody is there begins anew.
local ALONE_MS = 1000
-- What is true of any moment need not be written at each.
local PROVED_EVERY_MS, HEARD_EVERY_MS = 10000, 100
local FINGERPRINTS_KEPT = 3 -- workers read a changed file one after the other
-- A probe of which nobody says anything is followed by another.
local PROBE_FIRST_MS, PROBE_MAX_MS, PROBE_SUSPENDED_MS, PROBE_LOST_MS = 1000, 60000, 30000, 10000

-- What :state holds; those in TEXTS are no numbers.
local STATE = {'slot', 'queued', 'shut', 'why', 'since', 'probe_at', 'backoff', 'fails', 'failed_at', 'epoch',
  'proved', 'proved_at', 'proofs', 'heard_by', 'heard_at', 'other_by', 'other_at'}
local TEXTS = {shut = true, why = true, proved = true}

-- What one call works with: set anew by each.
local base, now_us, now, s, was, lines
local between, lines_cap, tenant_caps, ahead_us, lease_ms, want, spare, want_slots, late, epoch, ok, fails, suspend,
  why, resumed
local fingerprint, asker, coming, going, accepted, trials_ended, trials_of, trial_ms, proved

local function tenant_of(ticket)
  return string.match(ticket, '^[^/]*')
end

local function text_of(n)
  return string.format('%.0f', n)
end

local function unprove()
  s.proved, proved = '', false
end

local function prove()
  if not proved then
    s.proved = string.sub(fingerprint .. ' ' .. s.proved, 1, FINGERPRINTS_KEPT * (#fingerprint + 1))
    s.proofs, s.proved_at, proved = s.proofs + 1, now, true
    call('DEL', base .. ':trials')
  end
  if math.abs(now - s.proved_at) > PROVED_EVERY_MS then
    s.proved_at = now
  end
end

-- Who goes leaves the time of whoever asked before it.
local function note_asker()
  if s.heard_by == asker and going == 0 and math.abs(now - s.heard_at) < HEARD_EVERY_MS then
    return
  end
  if s.heard_by ~= asker then
    s.other_by, s.other_at = s.heard_by, s.heard_at
  end
  s.heard_by, s.heard_at = asker, now
  if going == 1 then
    s.heard_by, s.heard_at, s.other_by, s.other_at = s.other_by, s.other_at, 0, 0
  end
end

local function look_at_proof()
  local alone = coming == 1 and math.abs(now - s.heard_at) > ALONE_MS
  proved = string.find(s.proved, fingerprint, 1, true) ~= nil
  if alone or s.proved_at < now - PROOF_MS or resumed > s.proved_at then
    unprove()
  end
  note_asker()
end

-- Whose trial is over does not matter: one of them.
local function end_trials()
  if proved then
    return
  end
  call('ZREMRANGEBYSCORE', base .. ':trials', '-inf', text_of(now))
  if trials_ended > 0 and trials_of == s.proofs then
    call('ZPOPMIN', base .. ':trials', trials_ended)
  end
end

-- ---- the circuit ----

local function shut(kind, wait_ms)
  if s.shut ~= kind then
    s.since, s.epoch = now, s.epoch + 1
  end
  if kind == 'suspended' then
    unprove()
  end
  s.shut, s.why, s.backoff, s.probe_at, s.fails = kind, why, wait_ms, now + wait_ms, 0
end

local function open()
  s.shut, s.why, s.since, s.fails = '', '', 0, 0
end

local function hear_while_shut()
  if suspend == 1 then
    shut('suspended', PROBE_SUSPENDED_MS)
  elseif ok > 0 then
    open()
  elseif fails > 0 then
    s.why = why
    s.backoff = s.shut == 'circuit' and math.min(2 * s.backoff, PROBE_MAX_MS) or PROBE_SUSPENDED_MS
    s.probe_at = now + s.backoff
  end
end

local function hear_while_open()
  s.fails = ((ok > 0 or s.failed_at < now - CIRCUIT_WITHIN_MS) and 0 or s.fails) + fails
  s.failed_at = fails > 0 and now or s.failed_at
  if suspend == 1 then
    shut('suspended', PROBE_SUSPENDED_MS)
  elseif s.fails >= CIRCUIT_FAILS then
    shut('circuit', PROBE_FIRST_MS)
  end
end

local function hear_news()
  if s.shut ~= '' then
    hear_while_shut()
  else
    hear_while_open()
  end
  if accepted == 1 and suspend == 0 then
    prove()
  end
end

-- What left before the channel was shut says nothing of it now, nor once it is open again.
local function hear()
  if resumed > s.since and s.shut ~= '' then
    open()
  elseif epoch == s.epoch then
    hear_news()
  end
end

-- ---- the queue ----

local function queue_add(ticket, priority, arrival)
  local tenant = tenant_of(ticket)
  local key = base .. ':q:' .. tenant
  if call('ZSCORE', base .. ':taken', ticket) then
    return
  end
  if call('EXISTS', key) == 0 then
    call('RPUSH', base .. ':turns', tenant)
  end
  s.queued = s.queued + call('ZADD', key, 'NX', text_of(priority * PRIORITY + arrival), ticket)
end

-- The ticket that a tenant's turn goes to.
local function pick(tenant, key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if not first[1] or call('HINCRBY', base .. ':served', tenant, 1) % LOWER_TURN ~= 0 then
    return first[1]
  end
  local best = floor(first[2] / PRIORITY)
  local last = tonumber(call('HGET', base .. ':served', tenant .. '/') or best)
  local function below(priority)
    local from = text_of((priority + 1) * PRIORITY)
    return call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  end
  local lower = below(math.max(last, best))
  if not lower[1] then
    lower = below(best)
  end
  if not lower[1] then
    return first[1]
  end
  call('HSET', base .. ':served', tenant .. '/', floor(lower[2] / PRIORITY))
  return lower[1]
end

local function end_turn(tenant, key)
  if call('EXISTS', key) == 1 then
    call('RPUSH', base .. ':turns', tenant)
  else
    call('HDEL', base .. ':served', tenant, tenant .. '/')
  end
end

-- ---- lines ----

local function line_end(ticket)
  call('ZREM', base .. ':lines', ticket)
  call('ZREM', base .. ':lines:' .. tenant_of(ticket), ticket)
end

-- Ends those whose deadline has come, before any are counted.
local function lines_expire()
  for _, ticket in ipairs(call('ZRANGEBYSCORE', base .. ':lines', '-inf', text_of(now))) do
    line_end(ticket)
  end
end

local function lines_of(tenant)
  return call('ZCARD', base .. ':lines' .. (tenant and ':' .. tenant or ''))
end

local function line_take(ticket, tenant)
  if lines_cap > 0 or tenant_caps[tenant] then
    call('ZADD', base .. ':lines', text_of(now + LINE_FIRST_MS), ticket)
    call('ZADD', base .. ':lines:' .. tenant, text_of(now + LINE_FIRST_MS), ticket)
  end
end

local function line_set(ticket, ms)
  local tenant = tenant_of(ticket)
  if ms > 0 then
    call('ZADD', base .. ':lines', 'XX', text_of(now + ms), ticket)
    call('ZADD', base .. ':lines:' .. tenant, 'XX', text_of(now + ms), ticket)
  end
end

-- ---- handing out ----

-- What a holder that died left, with its line.
local function take_left(tickets)
  local longest = now + 2 * lease_ms
  local last = call('ZREVRANGE', base .. ':taken', 0, 0, 'WITHSCORES')
  if last[2] and tonumber(last[2]) > longest then -- Redis' clock jumped back
    for _, ticket in ipairs(call('ZRANGEBYSCORE', base .. ':taken', '(' .. text_of(longest), '+inf')) do
      call('ZADD', base .. ':taken', text_of(longest), ticket)
    end
  end
  for _, ticket in ipairs(call('ZRANGEBYSCORE', base .. ':taken', '-inf', text_of(now), 'LIMIT', 0, want)) do
    call('ZADD', base .. ':taken', text_of(now + lease_ms), ticket)
    tickets[#tickets + 1] = ticket
  end
end

local function take_in_turn(tickets)
  local passed, tenants = 0, call('LLEN', base .. ':turns')
  while #tickets < want and passed < tenants and (lines_cap == 0 or lines < lines_cap) do
    local tenant = call('LPOP', base .. ':turns')
    if not tenant then
      break
    end
    local key, cap = base .. ':q:' .. tenant, tenant_caps[tenant]
    local ticket = not (cap and lines_of(tenant) >= cap) and pick(tenant, key)
    if ticket then
      call('ZREM', key, ticket)
      call('ZADD', base .. ':taken', text_of(now + lease_ms), ticket)
      line_take(ticket, tenant)
      s.queued, lines, passed = s.queued - 1, lines + 1, 0
      tickets[#tickets + 1] = ticket
    else
      passed = passed + 1
    end
    end_turn(tenant, key)
  end
  if tenants == 0 or s.queued < 0 then
    s.queued = 0
  end
end

-- ---- send times ----

local function next_slot()
  return math.max(s.slot + between, now_us)
end

-- How many send times there are now.
local function slots_left()
  if s.shut ~= '' and now < s.probe_at then
    return 0
  end
  if late > 0 then
    s.slot, late = math.max(s.slot, now_us - between) + late * between, 0
  end
  -- Further ahead it is of a clock that jumped back, or of a rate that was far lower.
  s.slot = math.min(s.slot, now_us + math.max(SLOT_AHEAD_US, SLOTS_AHEAD * between))
  local room = now_us + ahead_us - next_slot()
  local left = room < 0 and 0 or between == 0 and math.huge or floor(room / between) + 1
  if s.shut ~= '' then
    return math.min(left, 1)
  end
  return proved and left or math.max(math.min(left, TRIALS - call('ZCARD', base .. ':trials')), 0)
end

local function give_slots(slots, n)
  while #slots < n do
    s.slot = next_slot()
    slots[#slots + 1] = floor(s.slot - now_us)
    if not proved then
      call('ZADD', base .. ':trials', text_of(now + trial_ms), text_of(now_us) .. '.' .. #slots)
    end
  end
  if s.shut ~= '' and slots[1] then
    s.probe_at = now + (s.shut == 'circuit' and PROBE_LOST_MS or PROBE_SUSPENDED_MS)
  end
end

-- ---- all of it ----

local function read_state()
  local read = call('HMGET', base .. ':state', unpack(STATE))
  s, was = {}, {}
  for i, name in ipairs(STATE) do
    local value = TEXTS[name] and (read[i] or '') or tonumber(read[i] or 0)
    s[name], was[name] = value, value
  end
end

-- Only what has changed.
local function write_state()
  local values = {}
  for _, name in ipairs(STATE) do
    if s[name] ~= was[name] then
      values[#values + 1] = name
      values[#values + 1] = TEXTS[name] and s[name] or text_of(s[name])
    end
  end
  if #values > 0 then
    call('HSET', base .. ':state', unpack(values))
  end
end

-- What became of tickets in hand, and those that come.
local function note_tickets(queue, done, dropped, back)
  for i = 1, #done, 2 do
    call('ZREM', base .. ':taken', done[i])
    line_set(done[i], done[i + 1])
  end
  for _, ticket in ipairs(dropped) do
    if call('ZREM', base .. ':taken', ticket) == 1 then
      line_end(ticket)
    end
  end
  for i = 1, #back, 2 do
    if call('ZREM', base .. ':taken', back[i]) == 1 then
      line_end(back[i])
      queue_add(back[i], back[i + 1], 0)
    end
  end
  for i = 1, #queue, 2 do
    queue_add(queue[i], queue[i + 1], now)
  end
end

-- Tickets and send times for the asker.
local function hand_out()
  lines = lines_of()
  local tickets, slots, left = {}, {}, slots_left()
  local for_hand = math.min(want_slots, left)
  want = math.min(want, left - for_hand + (s.shut == '' and spare or 0))
  if want > 0 then
    take_left(tickets)
    take_in_turn(tickets)
  end
  give_slots(slots, for_hand + math.min(#tickets, left - for_hand))
  return tickets, slots
end

return function(keys, args)
  local clock = call('TIME')
  local proof, queue, done, dropped, back
  base, now_us = keys[1], clock[1] * 1000000 + clock[2]
  now = floor(now_us / 1000)
  between, lines_cap, tenant_caps, ahead_us, lease_ms, want, spare, want_slots, late, epoch, ok, fails, suspend, why,
    resumed, proof, queue, done, dropped, back = unpack(cmsgpack.unpack(args[1]))
  fingerprint, asker, coming, going, accepted, trials_ended, trials_of, trial_ms = unpack(proof)
  read_state()
  look_at_proof()
  hear()
  end_trials()
  lines_expire()
  note_tickets(queue, done, dropped, back)
  local tickets, slots = hand_out()
  write_state()
  return cmsgpack.pack({s.queued, lines_of(), s.shut, s.why, s.since, s.epoch, tickets, slots,
    floor(math.max(next_slot() - ahead_us - now_us, 0)), proved and 1 or 0, s.proofs})
end
