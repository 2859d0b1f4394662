-- Claims waiting calls for dialling: the last step before the HTTP request leaves.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each:
--   {id, token, claim ms, channel, provider, trace, contact, line, hold ms}; the last three: attempt_begin of lib/call.lua
-- Returns {outbox id, events, results}; a result is {what, attempt}: 'claimed' (dial it as that attempt), 'halted' (the
-- same, but operators paused or cancelled it since: give it back), 'no' (another has it, it is paused, or it is over; the attempt
-- is the one under way, 0 without),
-- 'over' (its time ran out, or it is cancelled: it ended here, not dialled).
--
-- Promises: of all who ask, one may dial; the same token asks twice for one claim; what is paused or cancelled is not
-- claimed, and who asks again is told.
--#include lib/call.lua

local function claim(r)
  local id, token, claim_ms, channel, provider, trace, contact, line, hold_ms = unpack(r)
  local c = call_load(id)
  if not c then
    return {'no', 0}
  end
  local s = c.s
  c.provider = provider
  if s[PHASE] == PLACING and s[TOKEN] == token then
    claim_until(id, now + claim_ms)
    return {control_of(c, channel) and 'halted' or 'claimed', s[ATTEMPT], life_of(s)}
  end
  if s[PHASE] ~= WAITING or s[NEXT_AT] > now then
    local a = c.a
    return {'no', 0, a and a[A_LINE] == 1 and a[A_CHANNEL] == channel and a[A_LIFE] or 0}
  end
  if is_over(c) then
    run_out(c, trace)
    return {'over', 0}
  end
  if obey(c, channel, trace) then
    call_save(c)
    return {s[FINAL] == 1 and 'over' or 'no', 0}
  end
  s[ATTEMPT] = s[ATTEMPT] + 1
  enter(s, PLACING, 0, 0)
  s[TOKEN], s[BUSY] = token, 0
  if s[STATUS] == 0 then
    s[CHANNEL] = channel
  end
  c.n = s[ATTEMPT]
  attempt_begin(c, channel, provider, contact, line, hold_ms)
  claim_until(id, now + claim_ms)
  call_save(c)
  return {'claimed', s[ATTEMPT], life_of(s)}
end

return finish(each(claim))
