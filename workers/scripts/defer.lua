-- Keeps waiting calls that have a ticket in their channel's queue (admit.lua) from being offered for a while.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {id, ms}
-- Returns {'', '', results}; a result is 1 where it waits, else 0.
--
-- Promises: it is offered again after that time at the latest, so a queue that was forgotten costs no more; its expiry stays
-- what it is.
--#include lib/call.lua

local results = {}
for i = 2, #ARGV do
  local id, ms = unpack(unpack_value(ARGV[i]))
  local c = call_load(id)
  local waits = c and c.s[PHASE] == WAITING and c.s[NEXT_AT] <= now and c.hold == '' and c.s[CANCELLED] ~= 1
  if waits then
    call('ZADD', shard .. ':due', 'XX', before_expiry(c, now + ms), id)
  end
  results[i - 1] = waits and 1 or 0
end
return finish(results)
