-- Offers waiting calls whose time has come, each to one asker for lease ms; claim.lua decides who dials.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] most calls to offer; ARGV[3] lease ms; ARGV[4] the suspended
-- channels (cmsgpack array of names; '' none); ARGV[5] how long ago an answer was lost, ms ('' none was): what was on
-- offer then is offered again.
-- Returns {outbox id, events, results}; a result is as offer() of lib/waiting.lua says. A call that is paused or
-- cancelled is moved out of the way, one whose time ran out ends here, also while its channel is closed.
--
-- Promises: the time to give up does not run while the channel is suspended; an offer that its taker drops (it died,
-- it had no capacity) is made again after the lease; nothing is lost.
local layout = require('layout')
local batch = require('batch')
local reading = require('reading')
local run = require('run')
local waiting = require('waiting')
local PHASE, S = layout.PHASE, layout.S
local pack, unpack_value, call = cmsgpack.pack, cmsgpack.unpack, redis.call

-- What one call works with: set anew by each.
local again, suspended, lease_ms

-- What reached nobody, and may not be tried now, has this lease longer.
local function pause(c)
  local s = c.s
  if suspended[s[S.CHANNEL]] and s[S.UNREACHED_SINCE] > 0 then
    s[S.UNREACHED_SINCE] = s[S.UNREACHED_SINCE] + lease_ms
    call('HSET', c.key, 's', pack(s))
  end
end

local function offer(id)
  local c = reading.load(id)
  if not c or c.s[S.PHASE] ~= PHASE.WAITING then
    call('ZREM', run.shard .. ':due', id)
    return nil
  end
  if again and c.s[S.NEXT_AT] > run.now and c.s[S.CANCELLED] ~= 1 then
    return nil -- no offer, its time has not come
  end
  pause(c)
  return waiting.offer(c, lease_ms)
end

return function(keys, args)
  run.begin(keys, args)
  again, suspended, lease_ms = tonumber(args[5]), {}, tonumber(args[3])
  for _, channel in ipairs(args[4] and args[4] ~= '' and unpack_value(args[4]) or {}) do
    suspended[channel] = true
  end

  local results = {}
  local latest = again and math.max(run.now, run.now + lease_ms - again) or run.now
  for _, id in ipairs(call('ZRANGEBYSCORE', run.shard .. ':due', '-inf', latest, 'LIMIT', 0, args[2])) do
    results[#results + 1] = batch.one_of(':due', offer, id)
  end
  return batch.finish(results)
end
