-- Looks at calls that a slow walk came by (workers/dispatch/mend.h), and puts those back that stand in no index.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each: {id}
-- Returns {outbox id, events, results}; a result is '' (it stands where it should, or Redis does not know it), or what
-- was mended: 'due', 'hold', 'open', or 'expiry' (it would have stayed for ever, or been forgotten before its end).
--
-- Promises: nothing of the call changes, and what stands in an index stays as it is there; twice is once. A claim that
-- nobody would have settled has as long as the longest claim may have: its owner may be alive.
local layout = require('layout')
local attempts = require('attempts')
local batch = require('batch')
local reading = require('reading')
local run = require('run')
local A, P, PHASE, S = layout.A, layout.P, layout.PHASE, layout.S
local call = redis.call

local function stands_in(index, id)
  return call('ZSCORE', run.shard .. index, id)
end

local function mend_waiting(c)
  local hold = c.hold
  if stands_in(':due', c.id) or (hold ~= '' and stands_in(':hold:' .. hold, c.id)) then
    return ''
  elseif hold == '' then
    call('ZADD', run.shard .. ':due', c.s[S.NEXT_AT], c.id)
    return 'due'
  end
  local expires = reading.policy(c)[P.EXPIRES]
  call('ZADD', run.shard .. ':hold:' .. hold, expires > 0 and expires or '+inf', c.id)
  call('SADD', run.shard .. ':holds', hold)
  return 'hold'
end

-- When somebody must look at it, or nil where nobody has to.
local function open_at(c)
  local s, a = c.s, c.a
  if s[S.PHASE] == PHASE.PLACING then
    return run.now + attempts.CLAIM_LONGEST_MS - attempts.CLAIMS_FIRST_MS
  elseif s[S.PHASE] == PHASE.PLACED then
    return a[A.PLACED] + math.min(run.pending_check_ms, run.pending_limit_ms)
  elseif c.talking and run.now < a[A.PLACED] + run.pending_limit_ms then
    return math.min(run.now + run.pending_check_ms, a[A.PLACED] + run.pending_limit_ms)
  elseif c.doubtful and run.now < a[A.PLACED] + attempts.FIND_CHECKS * run.pending_check_ms then
    return run.now + run.pending_check_ms
  end
end

local function mend_open(c)
  local at = open_at(c)
  if not at or stands_in(':open', c.id) then
    return ''
  end
  call('ZADD', run.shard .. ':open', at, c.id)
  return 'open'
end

local function mend_expiry(c)
  local expires = call('PTTL', c.key) >= 0
  if c.final == 1 and not expires then
    call('PEXPIRE', c.key, run.retention_ms)
    return 'expiry'
  elseif c.final == 0 and expires then
    call('PERSIST', c.key)
    return 'expiry'
  end
  return ''
end

local function mend(r)
  local c = reading.load(r[1])
  if not c then
    return ''
  elseif not c.a and (c.phase == PHASE.PLACING or c.phase == PHASE.PLACED) then
    reading.cannot(c.key, 'its attempt ' .. c.n .. ' is missing')
  end
  local expiry = mend_expiry(c)
  local mended = c.phase == PHASE.WAITING and mend_waiting(c) or mend_open(c)
  return mended ~= '' and mended or expiry
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(mend))
end
