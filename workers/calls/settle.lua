-- Settles what nobody else will: claims whose owner died, and attempts whose report does not come.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] most calls to look at; ARGV[3] most look-ups the caller can
-- take.
-- Returns {outbox id, events, results}; a result is {id, attempt, what, channel, provider call id}; what is
-- 'claim_lost', 'no_report', 'look_up' (placed pending_check_ms ago and silent since: ask the provider; offered again
-- after as long), or 'find' (in doubt since as long: ask the provider for calls to that number; offered a few times),
-- which has request JSON and time placed, ms, besides.
--
-- Promises: a claim without an outcome is in doubt (Gateway_unavailable: may or may not have been placed), never
-- dialled again on its own; an attempt without terminal evidence is closed after pending_limit_ms, and a later report
-- still corrects it; a call that is answered stays until its closing report, as long at most. Redis' clock may jump
-- back at a failover: what was to be settled by the old clock is settled at the latest as long from now as it may take
-- at most.
local layout = require('layout')
local applying = require('applying')
local attempts = require('attempts')
local batch = require('batch')
local counters = require('counters')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local A, CLOSED, PHASE, S, STATUS = layout.A, layout.CLOSED, layout.PHASE, layout.S, layout.STATUS
local call = redis.call

local LOST = {STATUS.GATEWAY_UNAVAILABLE, 0, 1, 0, 0, -1, -1, -1, '', 0, 'claim_lost',
  'the worker that placed the call ended before it recorded an outcome', '', '', 0}
local SILENT = {STATUS.FAILED, 1, 0, 0, 0, -1, -1, -1, '', 0, 'no_report',
  'the provider sent no closing report in time', '', '', 0}
local QUIET = {0, 1, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}

-- What one call works with: set anew by each.
local results, most, look_ups

local function note(c, what, channel, provider_id, request, placed)
  results[#results + 1] = {c.id, c.n, what, channel, provider_id, request, placed}
end

local function settle_claim(c)
  c.s[S.TOKEN], c.a[A.CLOSED] = '', CLOSED.SETTLED
  applying.apply(c, LOST, false, false, 0, '')
  saving.save(c)
  note(c, 'claim_lost', '', '')
end

local function close(c)
  c.a[A.CLOSED] = CLOSED.NO_REPORT
  applying.apply(c, c.a[A.STATUS] == STATUS.PENDING and SILENT or QUIET, false, false, 0, '')
  saving.save(c)
  note(c, 'no_report', '', '')
end

-- False when there is no room for another look-up: it stays the next one.
local function look_up(c)
  if c.a[A.ID] ~= '' then
    if look_ups == 0 then
      return false
    end
    look_ups = look_ups - 1
    note(c, 'look_up', c.a[A.CHANNEL], c.a[A.ID])
  end
  local at = math.min(run.now + run.pending_check_ms, c.a[A.PLACED] + run.pending_limit_ms)
  call('ZADD', run.shard .. ':open', at, c.id)
  return true
end

-- Nobody knows whether the call exists, and it has no id to ask by.
local function find(c)
  if look_ups == 0 then
    return false
  end
  look_ups = look_ups - 1
  note(c, 'find', c.a[A.CHANNEL], '', call('HGET', c.key, 'q'), c.a[A.PLACED])
  call('ZADD', run.shard .. ':open', run.now + run.pending_check_ms, c.id)
  return true
end

local function may_be_found(c)
  return c and c.a and c.s[S.PHASE] == PHASE.DONE and attempts.in_doubt(c.a) and
    run.now < c.a[A.PLACED] + attempts.FIND_CHECKS * run.pending_check_ms
end

local function settle(id)
  local c = reading.load(id)
  if c and c.a and c.s[S.PHASE] == PHASE.PLACING then
    settle_claim(c)
  elseif may_be_found(c) then
    return find(c)
  elseif c and c.talking and run.now < c.a[A.PLACED] + run.pending_limit_ms then
    local at = math.min(run.now + run.pending_check_ms, c.a[A.PLACED] + run.pending_limit_ms)
    call('ZADD', run.shard .. ':open', at, id)
  elseif not c or not c.a or c.s[S.PHASE] ~= PHASE.PLACED then
    call('ZREM', run.shard .. ':open', id)
  elseif run.now < c.a[A.PLACED] + run.pending_limit_ms then
    return look_up(c)
  else
    close(c)
  end
  return true
end

local function settle_all(from, to)
  for _, id in ipairs(call('ZRANGEBYSCORE', run.shard .. ':open', from, to, 'LIMIT', 0, most - #results)) do
    if batch.one_of(':open', settle, id) == false then
      return
    end
  end
end

-- The times from `latest` to `to` are of a clock that was ahead.
local function clamp(latest, to)
  local from = '(' .. counters.text_of(latest)
  for _, id in ipairs(call('ZRANGEBYSCORE', run.shard .. ':open', from, to, 'LIMIT', 0, most)) do
    call('ZADD', run.shard .. ':open', latest, id)
  end
end

return function(keys, args)
  run.begin(keys, args)
  results, most, look_ups = {}, tonumber(args[2]), tonumber(args[3])
  call('ZREMRANGEBYSCORE', run.shard .. ':lined', '-inf', counters.text_of(run.now))
  clamp(run.now + attempts.CLAIM_LONGEST_MS - attempts.CLAIMS_FIRST_MS, '(0')
  clamp(run.now + math.min(run.pending_check_ms, run.pending_limit_ms), '+inf')
  settle_all('-inf', run.now - attempts.CLAIMS_FIRST_MS)
  settle_all(0, run.now)
  return batch.finish(results)
end
