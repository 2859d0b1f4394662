-- Settles what nobody else will: claims whose owner died, and attempts whose report does not come.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to look at; ARGV[3] most look-ups the caller can take.
-- Returns {outbox id, events, results}; a result is {id, attempt, what, channel, provider call id}; what is 'claim_lost', 'no_report', or
-- 'look_up' (placed pending_check_ms ago and silent since: ask the provider; offered again after as long).
--
-- Promises: a claim without an outcome is in doubt (Gateway_unavailable: may or may not have been placed), never dialled
-- again on its own; an attempt without terminal evidence is closed after pending_limit_ms, and a later report still corrects it.
--#include lib/call.lua

local CROWDED_MS = 5000 -- a look-up for which there is no room now

local LOST = {GATEWAY_UNAVAILABLE, 0, 1, 0, 0, -1, -1, -1, '', 0, 'claim_lost',
  'the worker that placed the call ended before it recorded an outcome', '', '', 0}
local SILENT = {FAILED, 1, 0, 0, 0, -1, -1, -1, '', 0, 'no_report', 'the provider sent no closing report in time', '', '', 0}
local QUIET = {0, 1, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}

local function again_at(c, at)
  call('ZADD', shard .. ':open', math.min(at, c.a[A_PLACED] + pending_limit_ms), c.id)
end

local look_ups = tonumber(ARGV[3])
local function look_up(c)
  if c.a[A_ID] == '' then
    again_at(c, now + pending_check_ms)
    return nil
  end
  if look_ups == 0 then
    again_at(c, now + CROWDED_MS)
    return nil
  end
  look_ups = look_ups - 1
  again_at(c, now + pending_check_ms)
  return {c.id, c.n, 'look_up', c.a[A_CHANNEL], c.a[A_ID]}
end

local function settle(id)
  local c = call_load(id)
  if not c or not c.a or (c.s[PHASE] ~= PLACING and c.s[PHASE] ~= PLACED) then
    call('ZREM', shard .. ':open', id)
    return nil
  end
  local lost = c.s[PHASE] == PLACING
  if not lost and now < c.a[A_PLACED] + pending_limit_ms then
    return look_up(c)
  end
  if lost then
    c.s[TOKEN], c.a[A_CLOSED] = '', SETTLED
    apply(c, LOST, false, false, 0, '')
  else
    c.a[A_CLOSED] = NO_REPORT
    apply(c, c.a[A_STATUS] == PENDING and SILENT or QUIET, false, false, 0, '')
  end
  call_save(c)
  return {id, c.n, lost and 'claim_lost' or 'no_report', '', ''}
end

local results = {}
for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':open', '-inf', now, 'LIMIT', 0, ARGV[2])) do
  results[#results + 1] = settle(id)
end
return finish(results)
