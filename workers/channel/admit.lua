-- Admission to a channel: tickets in, tickets out in turn, send times, lines, and the circuit.
--
-- KEYS[1] is the channel's slot, e.g. "{ivr:ch:ke-main}". What stands there are hints; the shards are the truth of
-- calls. A ticket, and its line, is named by the claim that it is for: "tenant/call_id/claim_no".
--   :state           hash: slot (the last send time that was given, us); queued; shut ('' while the channel is open,
--                    else "circuit" or "suspended"); why; since; probe_at; backoff; fails; failed_at; epoch (how often
--                    it was closed); proved (fingerprints of the settings that the provider has accepted a request
--                    with, the newest first); proved_at (when it last accepted one); proofs (how often the settings
--                    were proved); heard_by and heard_at (which worker asked last, and when); other_by and other_at
--                    (the worker that asked before it, and when)
--   :q:TENANT        zset of tickets, by priority and then arrival
--   :turns           list of the tenants that have tickets, the next one first
--   :served          hash by tenant: how many turns it had, and the lower priority that had the last of its turns for
--                    lower ones
--   :taken           zset of tickets that a worker has in hand, by the time from which another worker may have them
--   :trials          zset of the send times that were given while the settings were not proved, by the time from
--                    which they are no longer counted
--   :lines           zset of lines in use, by their deadline; :lines:TENANT the same of one tenant
-- ARGV[1] is a cmsgpack array, in this order:
--   between          us between two placements; 0: no rate
--   lines            the most lines in use; 0: no cap
--   tenants' caps    map
--   ahead            how far ahead of now a send time may be, us
--   lease            how long a ticket is in hand, ms
--   tickets          how many are wanted
--   spare            how many of them may come without a send time
--   send times       how many are wanted for tickets in hand
--   late             how many placements left long after their send time
--   results          five values, of placements since the last request: epoch, successes, failures since the last
--                    success, suspend 0/1, why
--   resumed          when an operator resumed the channel, or its file was read again, ms; 0: not
--   proof            array: the fingerprint of the asker's settings; the asker, a number; coming, 1 with its first
--                    request; going, 1 when it is about to end; accepted, 1 when the provider took a request; how many
--                    trials have ended; how many proofs there were when they began; ms that a trial may take
--   queue            tickets that are to be queued: ticket, priority, ...
--   done             tickets whose claim was taken: ticket, ms that its line may be held, ...
--   dropped          tickets that were not claimed
--   back             tickets that were not claimed and wait again: ticket, priority, ...
-- Returns cmsgpack {queued, lines in use, closed (as `shut` above), why, since, epoch, tickets, send times (us from
-- now; first for what is in hand, then for the tickets in their order), us until a send time may be had, proved 0/1,
-- proofs}.
--
-- Promises:
--   * Send times are at least `between` apart, whoever asks. Tickets are handed out with theirs, so that turns are
--     kept.
--   * A line is taken with its ticket, once, and never above a cap.
--   * Until the provider has accepted a request with the asker's settings, no more than TRIALS requests are on their
--     way, whoever asks.
--   * Tenants have equal turns. Of a tenant's turns one in 16 goes to its lower priorities in rotation.
--   * A ticket whose holder died is handed out again, with its line.
--   * While the channel is closed one send time per probe is given.
--   * Asked twice, a ticket is queued once and dropped once. The tickets of a lost answer come again after their lease.
--     Its send times are lost.
local call, floor = redis.call, math.floor

local PRIORITY = 2 ^ 42 -- above any arrival in ms
local LOWER_TURN = 16
-- A line's deadline until its claim says how long it may be held: longer than the longest call.
local LINE_FIRST_MS = 12 * 3600 * 1000
-- The last send time is at most so far ahead of now. What late placements would cost beyond it is not counted.
local SLOT_AHEAD_US, SLOTS_AHEAD = 2000000, 4
-- The circuit opens after so many failures in a row, each within so long of the one before. A channel that carries a
-- call a minute needs no circuit, and doubts that are spread over an hour are no outage.
local CIRCUIT_FAILS, CIRCUIT_WITHIN_MS = 20, 10000
-- So many requests are on their way while nobody knows whether the key is right: a hundred of them refused at one
-- moment lock an account.
local TRIALS = 8
-- A key that nobody has used for so long may have been taken away meanwhile.
local PROOF_MS = 3600000
-- A worker asks four times within it. So when nobody has asked for so long, no worker is there, and the first one that
-- comes has to prove its settings again.
local ALONE_MS = 1000
-- How often the two times that change with nearly every request are written.
local PROVED_EVERY_MS, ASKED_EVERY_MS = 10000, 100
local FINGERPRINTS_KEPT = 3 -- workers read a changed file one after the other
-- How long a closed channel waits for its next probe. PROBE_LOST_MS: when nothing is known of the last one.
local PROBE_FIRST_MS, PROBE_MAX_MS, PROBE_SUSPENDED_MS, PROBE_LOST_MS = 1000, 60000, 30000, 10000

-- The fields of :state, and their names here, in the same order; those in TEXTS are no numbers. The fields keep their
-- names, since workers of another version read them too.
local FIELDS = {'slot', 'queued', 'shut', 'why', 'since', 'probe_at', 'backoff', 'fails', 'failed_at', 'epoch',
  'proved', 'proved_at', 'proofs', 'heard_by', 'heard_at', 'other_by', 'other_at'}
local STATE = {'slot', 'queued', 'closed', 'why', 'since', 'probe_at', 'backoff', 'fails', 'failed_at', 'epoch',
  'proved', 'proved_at', 'proofs', 'asked_by', 'asked_at', 'other_by', 'other_at'}
local TEXTS = {closed = true, why = true, proved = true}

-- The keys, arguments and state of the request that is being answered. Each request sets them anew.
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

-- A worker that ends leaves the time of the one that asked before it.
local function note_asker()
  if s.asked_by == asker and going == 0 and math.abs(now - s.asked_at) < ASKED_EVERY_MS then
    return
  end
  if s.asked_by ~= asker then
    s.other_by, s.other_at = s.asked_by, s.asked_at
  end
  s.asked_by, s.asked_at = asker, now
  if going == 1 then
    s.asked_by, s.asked_at, s.other_by, s.other_at = s.other_by, s.other_at, 0, 0
  end
end

local function read_proof()
  local alone = coming == 1 and math.abs(now - s.asked_at) > ALONE_MS
  proved = string.find(s.proved, fingerprint, 1, true) ~= nil
  if alone or s.proved_at < now - PROOF_MS or resumed > s.proved_at then
    unprove()
  end
  note_asker()
end

-- It does not matter which of the trials go: they are alike.
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

local function close_channel(kind, wait_ms)
  if s.closed ~= kind then
    s.since, s.epoch = now, s.epoch + 1
  end
  if kind == 'suspended' then
    unprove()
  end
  s.closed, s.why, s.backoff, s.probe_at, s.fails = kind, why, wait_ms, now + wait_ms, 0
end

local function open_channel()
  s.closed, s.why, s.since, s.fails = '', '', 0, 0
end

local function take_results_while_closed()
  if suspend == 1 then
    close_channel('suspended', PROBE_SUSPENDED_MS)
  elseif ok > 0 then
    open_channel()
  elseif fails > 0 then
    s.why = why
    s.backoff = s.closed == 'circuit' and math.min(2 * s.backoff, PROBE_MAX_MS) or PROBE_SUSPENDED_MS
    s.probe_at = now + s.backoff
  end
end

local function take_results_while_open()
  s.fails = ((ok > 0 or s.failed_at < now - CIRCUIT_WITHIN_MS) and 0 or s.fails) + fails
  s.failed_at = fails > 0 and now or s.failed_at
  if suspend == 1 then
    close_channel('suspended', PROBE_SUSPENDED_MS)
  elseif s.fails >= CIRCUIT_FAILS then
    close_channel('circuit', PROBE_FIRST_MS)
  end
end

local function take_results()
  if s.closed ~= '' then
    take_results_while_closed()
  else
    take_results_while_open()
  end
  if accepted == 1 and suspend == 0 then
    prove()
  end
end

-- Results of placements that left before the channel was closed say nothing of it now, nor once it is open again: they
-- speak of an earlier epoch.
local function update_circuit()
  if resumed > s.since and s.closed ~= '' then
    open_channel()
  elseif epoch == s.epoch then
    take_results()
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

-- The ticket that gets the tenant's turn.
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

-- Ends the lines whose deadline has come. Called before lines are counted.
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

-- Tickets whose holder died. Their lines are taken already.
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

-- How many send times may be given now.
local function slots_left()
  if s.closed ~= '' and now < s.probe_at then
    return 0
  end
  if late > 0 then
    s.slot, late = math.max(s.slot, now_us - between) + late * between, 0
  end
  -- It is further ahead than this where the clock jumped back, or where the rate was far lower.
  s.slot = math.min(s.slot, now_us + math.max(SLOT_AHEAD_US, SLOTS_AHEAD * between))
  local room = now_us + ahead_us - next_slot()
  local left = room < 0 and 0 or between == 0 and math.huge or floor(room / between) + 1
  if s.closed ~= '' then
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
  if s.closed ~= '' and slots[1] then
    s.probe_at = now + (s.closed == 'circuit' and PROBE_LOST_MS or PROBE_SUSPENDED_MS)
  end
end

-- ---- all of it ----

local function read_state()
  local read = call('HMGET', base .. ':state', unpack(FIELDS))
  s, was = {}, {}
  for i, name in ipairs(STATE) do
    local value = TEXTS[name] and (read[i] or '') or tonumber(read[i] or 0)
    s[name], was[name] = value, value
  end
end

-- Writes only what has changed.
local function write_state()
  local values = {}
  for i, name in ipairs(STATE) do
    if s[name] ~= was[name] then
      values[#values + 1] = FIELDS[i]
      values[#values + 1] = TEXTS[name] and s[name] or text_of(s[name])
    end
  end
  if #values > 0 then
    call('HSET', base .. ':state', unpack(values))
  end
end

-- Takes out the tickets that are no longer in hand, and queues those that come.
local function update_tickets(queue, done, dropped, back)
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
  want = math.min(want, left - for_hand + (s.closed == '' and spare or 0))
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
  read_proof()
  update_circuit()
  end_trials()
  lines_expire()
  update_tickets(queue, done, dropped, back)
  local tickets, slots = hand_out()
  write_state()
  return cmsgpack.pack({s.queued, lines_of(), s.closed, s.why, s.since, s.epoch, tickets, slots,
    floor(math.max(next_slot() - ahead_us - now_us, 0)), proved and 1 or 0, s.proofs})
end
