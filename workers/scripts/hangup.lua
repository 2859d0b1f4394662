-- Offers cancelled calls that are to be hung up, each to one asker until it is time to ask again.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls.
-- Returns {outbox id, events, results}; a result is {id, attempt, channel, provider call id}.
--
-- Promises: a call is asked for until its provider has answered (hung_up.lua), it is over, or it was asked for HANGUP_TIMES
-- times; an asker that dies costs one turn.
--#include lib/call.lua
--#include lib/index.lua

local HANGUP_TIMES, HANGUP_AGAIN_MS, ID_LATER_MS = 8, 15000, 1000
local hangups = shard .. ':hangups'

-- The attempt that may be hung up, or nil.
local function live(c)
  local s, a = c and c.s, c and c.a
  if not a or s[CANCELLED] ~= 1 or a[A_TERMINAL] == 1 or (s[PHASE] ~= PLACED and s[WON] == 0) then
    return nil
  end
  return a
end

local function offer(id)
  local c = call_load(id)
  local a = live(c)
  local tries = a and (c.s[HUNG_UP] or 0)
  if not a or tries >= HANGUP_TIMES or now > a[A_PLACED] + pending_limit_ms then
    call('ZREM', hangups, id)
    return nil
  end
  if a[A_ID] == '' then
    call('ZADD', hangups, now + ID_LATER_MS, id)
    return nil
  end
  c.s[HUNG_UP] = tries + 1
  call('HSET', c.key, 's', pack(c.s))
  call('ZADD', hangups, now + HANGUP_AGAIN_MS * (tries + 1), id)
  return {id, c.n, a[A_CHANNEL], a[A_ID]}
end

local results = {}
for _, id in ipairs(call('ZRANGEBYSCORE', hangups, '-inf', now, 'LIMIT', 0, ARGV[2])) do
  results[#results + 1] = one_of(':hangups', offer, id)
end
return finish(results)
