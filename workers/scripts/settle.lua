-- Settles what nobody else will: claims whose owner died, and attempts whose report never came.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to settle.
-- Returns {outbox id, events, results}; a result is {id, attempt, 'claim_lost' | 'no_report'}.
--
-- Promises: a claim without an outcome is in doubt (Gateway_unavailable: may or may not have been placed), never dialled
-- again on its own; an attempt without terminal evidence is closed after pending_limit_ms, and a later report still corrects it.
--#include lib/call.lua

local LOST = {GATEWAY_UNAVAILABLE, 0, 1, 0, 0, -1, -1, -1, '', 0, 'claim_lost',
  'the worker that placed the call ended before it recorded an outcome', '', '', 0}
local SILENT = {FAILED, 1, 0, 0, 0, -1, -1, -1, '', 0, 'no_report', 'the provider sent no closing report in time', '', '', 0}
local QUIET = {0, 1, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}

local function settle(id)
  local c = call_load(id)
  if not c or not c.a or (c.s[PHASE] ~= PLACING and c.s[PHASE] ~= PLACED) then
    call('ZREM', shard .. ':open', id)
    return nil
  end
  local lost = c.s[PHASE] == PLACING
  if lost then
    c.s[TOKEN] = ''
    apply(c, LOST, false, false, 0, '')
  else
    c.a[A_CLOSED] = 1
    apply(c, c.a[A_STATUS] == PENDING and SILENT or QUIET, false, false, 0, '')
  end
  call_save(c)
  return {id, c.n, lost and 'claim_lost' or 'no_report'}
end

local results = {}
for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':open', '-inf', now, 'LIMIT', 0, ARGV[2])) do
  results[#results + 1] = settle(id)
end
return finish(results)
