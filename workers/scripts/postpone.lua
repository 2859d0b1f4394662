-- Puts due calls off until their calling hours open: their time has come, and nobody may be called now.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each:
--   {id, opening ms (the asker's clock, wall time), provider}
-- Returns {outbox id, events, results}; a result is 1 (put off) or 0 (not: another has it, its time has moved,
-- it is paused, cancelled or over).
--
-- Promises: only a call that waits and is due is put off, and only to later, so that asking twice puts off once; its
-- expires_at comes first where that is earlier; its time to give up does not run meanwhile.
--#include lib/call.lua

-- The asker's clock is behind ours: by ours it is open, and it is soon by the asker's. Nothing changes of the call.
local SOON_MS = 1000

local function postpone(r)
  local id, opening, provider = unpack(r)
  local c = call_load(id)
  if not c or c.s[PHASE] ~= WAITING or c.s[NEXT_AT] > now or c.hold ~= '' or c.s[CANCELLED] == 1 then
    return 0
  end
  local s = c.s
  if opening <= now then
    call('ZADD', shard .. ':due', before_expiry(c, now + SOON_MS), id)
    return 0
  end
  if s[UNREACHED_SINCE] > 0 then
    s[UNREACHED_SINCE] = s[UNREACHED_SINCE] + opening - now
  end
  s[NEXT_AT], s[BUSY] = before_expiry(c, opening), 0
  c.provider = provider
  emit(c, 'waiting', -1, s[STATUS], 0, '')
  call_save(c)
  return 1
end

return finish(each(postpone))
