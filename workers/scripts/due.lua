-- Offers waiting calls whose time has come, each to one asker for lease ms; claim.lua decides who dials.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to offer; ARGV[3] lease ms; ARGV[4] the suspended
-- channels (cmsgpack array of names; '' none); ARGV[5] how long ago
-- an answer was lost, ms ('' none was): what was on offer then is offered again.
-- Returns {outbox id, events, results}; a result is as lib/offer.lua says. A call that is paused or cancelled is moved out of
-- the way, one whose time ran out ends here, also while its channel is closed.
--
-- Promises: the time to give up does not run while the channel is suspended; an offer that its taker drops (it died,
-- it had no capacity) is made again after the lease; nothing is lost.
--#include lib/call.lua
--#include lib/index.lua
--#include lib/offer.lua

local again = tonumber(ARGV[5])
local suspended = {}
for _, channel in ipairs(ARGV[4] and ARGV[4] ~= '' and unpack_value(ARGV[4]) or {}) do
  suspended[channel] = true
end

-- What reached nobody, and may not be tried now, has this lease longer.
local function pause(c, lease_ms)
  local s = c.s
  if suspended[s[CHANNEL]] and s[UNREACHED_SINCE] > 0 then
    s[UNREACHED_SINCE] = s[UNREACHED_SINCE] + lease_ms
    call('HSET', c.key, 's', pack(s))
  end
end

local lease_ms = tonumber(ARGV[3])

local function offer(id)
  local c = call_load(id)
  if not c or c.s[PHASE] ~= WAITING then
    call('ZREM', shard .. ':due', id)
    return nil
  end
  if again and c.s[NEXT_AT] > now and c.s[CANCELLED] ~= 1 then
    return nil -- no offer, its time has not come
  end
  pause(c, lease_ms)
  return offer_call(c, lease_ms)
end

local results = {}
local latest = again and math.max(now, now + lease_ms - again) or now
for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':due', '-inf', latest, 'LIMIT', 0, ARGV[2])) do
  results[#results + 1] = one_of(':due', offer, id)
end
return finish(results)
