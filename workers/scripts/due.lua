-- Offers waiting calls whose time has come, each to one asker for lease ms; claim.lua decides who dials.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to offer; ARGV[3] lease ms.
-- Returns {'', '', results}; a result is {id, channel, request JSON, number of its next attempt}.
--
-- Promise: an offer that its taker drops (it died, it had no capacity) is made again after the lease; nothing is lost.
--#include lib/call.lua

local results = {}
local ids = call('ZRANGEBYSCORE', shard .. ':due', '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local s, q = unpack(call('HMGET', shard .. ':call:' .. id, 's', 'q'))
  s = s and unpack_value(s)
  if s and s[PHASE] == WAITING then
    call('ZADD', shard .. ':due', now + tonumber(ARGV[3]), id)
    results[#results + 1] = {id, s[CHANNEL], q, s[ATTEMPT] + 1}
  else
    call('ZREM', shard .. ':due', id)
  end
end
return finish(results)
