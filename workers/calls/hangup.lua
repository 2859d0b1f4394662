-- Offers cancelled calls that are to be hung up, each to one asker until it is time to ask again.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] most calls.
-- Returns {outbox id, events, results}; a result is {id, attempt, channel, provider call id}.
--
-- Promises: a call is asked for until its provider has answered (hung_up.lua), it is over, or it was asked for
-- HANGUP_TIMES times; an asker that dies costs one turn.
local layout = require('layout')
local batch = require('batch')
local reading = require('reading')
local run = require('run')
local A, PHASE, S = layout.A, layout.PHASE, layout.S
local pack, call = cmsgpack.pack, redis.call

local HANGUP_TIMES, HANGUP_AGAIN_MS, ID_LATER_MS = 8, 15000, 1000

-- What one call works with: set anew by each.
local hangups

-- The attempt that may be hung up, or nil.
local function live(c)
  local s, a = c and c.s, c and c.a
  if not a or s[S.CANCELLED] ~= 1 or a[A.TERMINAL] == 1 or (s[S.PHASE] ~= PHASE.PLACED and s[S.WON] == 0) then
    return nil
  end
  return a
end

local function offer(id)
  local c = reading.load(id)
  local a = live(c)
  local tries = a and (c.s[S.HUNG_UP] or 0)
  if not a or tries >= HANGUP_TIMES or run.now > a[A.PLACED] + run.pending_limit_ms then
    call('ZREM', hangups, id)
    return nil
  end
  if a[A.ID] == '' then
    call('ZADD', hangups, run.now + ID_LATER_MS, id)
    return nil
  end
  c.s[S.HUNG_UP] = tries + 1
  call('HSET', c.key, 's', pack(c.s))
  call('ZADD', hangups, run.now + HANGUP_AGAIN_MS * (tries + 1), id)
  return {id, c.n, a[A.CHANNEL], a[A.ID]}
end

return function(keys, args)
  run.begin(keys, args)
  hangups = run.shard .. ':hangups'

  local results = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', hangups, '-inf', run.now, 'LIMIT', 0, args[2])) do
    results[#results + 1] = batch.one_of(':hangups', offer, id)
  end
  return batch.finish(results)
end
