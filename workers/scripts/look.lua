-- Looks at the calls behind tickets that a worker has in hand (admit.lua), before a send time is spent on them.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {id, number of the attempt, lease ms, channel}
-- Returns {outbox id, events, results}; a result is {what, then what lib/offer.lua offers}: 'ready' (it may be claimed as that
-- attempt), 'live' (that attempt is under way with a line of the channel, which stays), 'gone' (the ticket is good for nothing).
--
-- Promises: a call that is paused, cancelled or over is done with here and costs no send time.
--#include lib/call.lua
--#include lib/offer.lua

local function look(r)
  local id, life, lease_ms, channel = unpack(r)
  local c = call_load(id)
  if not c then
    return {'gone'}
  end
  local s = c.s
  if s[PHASE] == WAITING and life_of(s) + 1 == life and s[NEXT_AT] <= now then
    local offered = offer_call(c, lease_ms)
    if offered and offered[4] > 0 then
      return {'ready', unpack(offered)}
    end
  elseif c.a and c.a[A_LIFE] == life and c.a[A_LINE] == 1 and c.a[A_CHANNEL] == channel then
    local deadline = call('ZSCORE', shard .. ':lined', channel .. '|' .. id .. '/' .. text_of(life))
    return {'live', deadline and math.max(tonumber(deadline) - now, 1) or 1}
  end
  return {'gone'}
end

return finish(each(look))
