-- Stores call requests, and claims those that may be dialled at once.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id "tenant/call_id", fingerprint, "tenant/campaign", channel, provider, identity, request JSON, policy,
--    record time ms (0 unknown), not before ms (0), token ('' stores only), claim ms (how long the claim may stay
--    unsettled), wait ms (before the first try, where it is stored only), trace, contact, hold ms (begin() of
--    lib/attempts.lua), lease ms (stored only: not offered to others meanwhile)}
-- Returns {outbox id, events, results}; a result is {what, attempt, claim_no}, without a claim 0 or absent:
--   'claimed' (dial it as that attempt), 'halted' (the same, but operators paused or cancelled it since: give it back),
--   'stored' (it waits), 'duplicate', 'conflict', 'too_old', 'dropped' (expired or cancelled).
--
-- Promises: a call is stored once; a redelivered request is not dialled again; the same token asks twice for one claim;
-- what is paused waits, what is cancelled is dropped.
-- A request that Redis does not know and that is older than the retention may have been dialled already: too_old.
local layout = require('layout')
local attempts = require('attempts')
local batch = require('batch')
local counters = require('counters')
local events = require('events')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local waiting = require('waiting')
local P, PHASE, S = layout.P, layout.PHASE, layout.S
local call = redis.call

local function known(fingerprint, id, channel, token, claim_ms)
  if fingerprint.stored ~= fingerprint.sent then
    return {'conflict', 0}
  end
  local c = reading.load(id)
  if not c then
    reading.cannot(run.shard .. ':call:' .. id, 'its field s is missing')
  end
  local s = c.s
  if token ~= '' and s[S.TOKEN] == token then
    if s[S.PHASE] == PHASE.PLACING then
      attempts.claim_until(id, run.now + claim_ms)
    end
    return {operators.control_of(c, channel) and 'halted' or 'claimed', s[S.ATTEMPT], attempts.claim_no_of(s)}
  end
  return {'duplicate', 0}
end

local function store(r)
  local id, fingerprint, campaign, channel, provider, identity, request, packed_policy, recorded, not_before, token,
    claim_ms, wait_ms, trace, contact, hold_ms, lease_ms = unpack(r)
  local key = run.shard .. ':call:' .. id
  local read = redis.pcall('HMGET', key, 'f', 's')
  if read.err or (read[2] and not read[1]) then
    reading.cannot(key, read.err or 'its field f is missing')
  end
  local stored = read[1]
  if stored then
    return known({stored = stored, sent = fingerprint}, id, channel, token, claim_ms)
  end
  if recorded > 0 and recorded < run.now - run.retention_ms then
    return {'too_old', 0}
  end
  local s = {0, PHASE.WAITING, 0, 0, 0, campaign, channel, run.now, run.now, 0, '', 0, 0, 0, '', '', 0, 0, {}}
  local c = {id = id, key = key, s = s, identity = identity, packed_policy = packed_policy, phase = PHASE.DONE,
    hold = '', final = 0, next_at = 0, n = 0, provider = provider,
    fresh = {'i', identity, 'p', packed_policy, 'q', request, 'f', fingerprint}}
  local expires = reading.policy(c)[P.EXPIRES]
  run.first_calls[campaign] = true
  events.emit(c, 'accepted', -1, 0, 0, trace)
  local result
  local expired = expires > 0 and expires <= run.now
  if expired then
    waiting.wind_up(c, 'expired', trace)
  end
  local halted = not expired and waiting.obey(c, channel, trace)
  if s[S.FINAL] == 1 then
    result = {'dropped', 0}
  elseif token ~= '' and not_before <= run.now and not halted then
    s[S.PHASE], s[S.ATTEMPT], s[S.TOKEN] = PHASE.PLACING, 1, token
    c.n = 1
    attempts.begin(c, channel, provider, contact, 0, hold_ms)
    attempts.claim_until(id, run.now + claim_ms)
    result = {'claimed', 1, 1}
  else
    s[S.NEXT_AT] = waiting.before_expiry(c, math.max(not_before, run.now + wait_ms))
    if s[S.NEXT_AT] > run.now then
      events.emit(c, 'waiting', -1, 0, 0, trace)
    end
    result = {'stored', 0}
  end
  counters.count_call(s, 1)
  c.counted = s
  saving.save(c)
  if s[S.PHASE] == PHASE.WAITING and s[S.NEXT_AT] <= run.now and c.s[S.HOLD] == nil and (lease_ms or 0) > 0 then
    call('ZADD', run.shard .. ':due', waiting.before_expiry(c, run.now + lease_ms), id)
  end
  return result
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(store))
end
