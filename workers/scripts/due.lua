-- Offers waiting calls whose time has come, each to one asker for lease ms; claim.lua decides who dials.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to offer; ARGV[3] lease ms.
-- Returns {outbox id, events, results}; a result is {id, channel, request JSON, number of its next attempt}. A call whose time ran out ends here,
-- also while its channel is closed.
--
-- Promise: an offer that its taker drops (it died, it had no capacity) is made again after the lease; nothing is lost.
--#include lib/call.lua

local function offer(id, lease_ms)
  local c = call_load(id)
  if not c or c.s[PHASE] ~= WAITING then
    call('ZREM', shard .. ':due', id)
    return nil
  end
  if is_over(c) then
    return run_out(c, '')
  end
  call('ZADD', shard .. ':due', before_expiry(c, now + lease_ms), id)
  return {id, c.s[CHANNEL], call('HGET', c.key, 'q'), c.s[ATTEMPT] + 1}
end

local results = {}
for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':due', '-inf', now, 'LIMIT', 0, ARGV[2])) do
  results[#results + 1] = offer(id, tonumber(ARGV[3]))
end
return finish(results)
