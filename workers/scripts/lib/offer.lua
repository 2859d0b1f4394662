-- Offers a waiting call to one asker (due.lua, look.lua): the call is not offered to another for lease ms. Needs lib/call.lua.

-- What the asker needs: {id, channel, request JSON, number of its next attempt, attempts in a row that reached nobody, or -1 once
-- one may have been placed}. nil where it ended here (its time ran out), or {id, '', '', 0, 0} where an operator holds it.
local function offer_call(c, lease_ms)
  local s = c.s
  if is_over(c) then
    return run_out(c, '')
  end
  if obey(c, s[CHANNEL], '') then
    call_save(c)
    return {c.id, '', '', 0, 0}
  end
  call('ZADD', shard .. ':due', before_expiry(c, now + lease_ms), c.id)
  return {c.id, s[CHANNEL], call('HGET', c.key, 'q'), s[ATTEMPT] + 1, s[SPENT] == 0 and s[UNREACHED_N] or -1, life_of(s) + 1}
end
