-- Makes calls due that wait for a line to their contact (contact.lua): it is free.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {id}
-- Returns {'', '', results}; a result is 1 where it was woken, else 0.
--
-- Promises: a call that waits for anything else (a retry, its hours, an operator) is left alone.
--#include lib/call.lua

local function wake(r)
  local c = call_load(r[1])
  local s = c and c.s
  if not c or s[PHASE] ~= WAITING or s[BUSY] ~= 1 or c.hold ~= '' then
    return 0
  end
  s[BUSY], s[NEXT_AT] = 0, math.min(now, s[NEXT_AT])
  call_save(c)
  return 1
end

return finish(each(wake))
