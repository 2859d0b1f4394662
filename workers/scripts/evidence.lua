-- Applies what providers report (callbacks, look-ups) to attempts.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each:
--   {id, attempt, channel, provider, evidence, jitter 0..999, trace}
-- Returns {outbox id, events, results}; a result is a number: 0 recorded (something was new), 8 repeated, 16 unknown
-- (no such call or attempt, or one that another channel placed); plus the call's status (0 to 7) after it; plus 32 where
-- reports alone told the provider's id, this one too: no response came that would have linked it, so whoever asks has to.
--
-- Promises: duplicates and any order end in the same state; what was seen before changes nothing and emits nothing. Who
-- may report on one channel changes nothing on another: a reference that is echoed can be anybody's.
--#include lib/call.lua

local RECORDED, REPEATED, UNKNOWN, UNLINKED = 0, 8, 16, 32

local function record(r)
  local id, n, channel, provider, evidence, jitter, trace = unpack(r)
  local c = call_load(id, n)
  if not c or not attempt_known(c, channel, provider) or c.a[A_CHANNEL] ~= channel then
    return UNKNOWN
  end
  apply(c, evidence, true, false, jitter, trace)
  local unlinked = evidence[E_ID] ~= '' and c.a[A_ID_SURE] == 0 and UNLINKED or 0
  if not call_changed(c) then
    return REPEATED + c.s[STATUS] + unlinked
  end
  call_save(c)
  return RECORDED + c.s[STATUS] + unlinked
end

local results = {}
for i = 2, #ARGV do
  results[i - 1] = record(unpack_value(ARGV[i]))
end
return finish(results)
