-- Keeps waiting calls that have a ticket in their channel's queue (admit.lua) from being offered for a while.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {id, ms}
-- Returns {'', '', results}; a result is 1 where it waits, else 0.
--
-- Promises: it is offered again after that time at the latest, so a queue that was forgotten costs no more; its expiry stays
-- what it is.
--#include lib/call.lua

local function defer(r)
  local id, ms = unpack(r)
  local c = call_load(id)
  if not c or c.s[PHASE] ~= WAITING or c.s[NEXT_AT] > now or c.hold ~= '' or c.s[CANCELLED] == 1 then
    return 0
  end
  call('ZADD', shard .. ':due', 'XX', before_expiry(c, now + ms), id)
  return 1
end

return finish(each(defer))
