-- Settles what nobody else will: claims whose owner died, and attempts whose report does not come.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to look at; ARGV[3] most look-ups the caller can
-- take.
-- Returns {outbox id, events, results}; a result is {id, attempt, what, channel, provider call id}; what is
-- 'claim_lost', 'no_report',
-- 'look_up' (placed pending_check_ms ago and silent since: ask the provider; offered again after as long), or
-- 'find' (in doubt since as long: ask the provider for calls to that number; offered a few times), which has request JSON
-- and time placed, ms, besides.
--
-- Promises: a claim without an outcome is in doubt (Gateway_unavailable: may or may not have been placed), never
-- dialled again on its own; an attempt without terminal evidence is closed after pending_limit_ms, and a later report
-- still corrects it; a call that is answered stays until its closing report, as long at most. Redis' clock may jump back at a failover: what was to be settled by the old clock is settled at
-- the latest as long from now as it may take at most.
--#include lib/call.lua
--#include lib/index.lua

local LOST = {GATEWAY_UNAVAILABLE, 0, 1, 0, 0, -1, -1, -1, '', 0, 'claim_lost',
  'the worker that placed the call ended before it recorded an outcome', '', '', 0}
local SILENT = {FAILED, 1, 0, 0, 0, -1, -1, -1, '', 0, 'no_report', 'the provider sent no closing report in time', '', '', 0}
local QUIET = {0, 1, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}

-- The longest request_timeout that a channel may have (5 minutes), and 10 s.
local CLAIM_LONGEST_MS = 310 * 1000

local results, look_ups = {}, tonumber(ARGV[3])

-- How often an attempt in doubt is offered: what the provider does not show by then, it will not show.
local FIND_TIMES = 3

local function told(c, what, channel, provider_id, request, placed)
  results[#results + 1] = {c.id, c.n, what, channel, provider_id, request, placed}
end

local function settle_claim(c)
  c.s[TOKEN], c.a[A_CLOSED] = '', SETTLED
  apply(c, LOST, false, false, 0, '')
  call_save(c)
  told(c, 'claim_lost', '', '')
end

local function close(c)
  c.a[A_CLOSED] = NO_REPORT
  apply(c, c.a[A_STATUS] == PENDING and SILENT or QUIET, false, false, 0, '')
  call_save(c)
  told(c, 'no_report', '', '')
end

-- False when there is no room for another look-up: it stays the next one.
local function look_up(c)
  if c.a[A_ID] ~= '' then
    if look_ups == 0 then
      return false
    end
    look_ups = look_ups - 1
    told(c, 'look_up', c.a[A_CHANNEL], c.a[A_ID])
  end
  call('ZADD', shard .. ':open', math.min(now + pending_check_ms, c.a[A_PLACED] + pending_limit_ms), c.id)
  return true
end

-- Nobody knows whether the call exists, and it has no id to ask by.
local function find(c)
  if look_ups == 0 then
    return false
  end
  look_ups = look_ups - 1
  told(c, 'find', c.a[A_CHANNEL], '', call('HGET', c.key, 'q'), c.a[A_PLACED])
  call('ZADD', shard .. ':open', now + pending_check_ms, c.id)
  return true
end

local function may_be_found(c)
  return c and c.a and c.s[PHASE] == DONE and in_doubt(c.a) and
    now < c.a[A_PLACED] + (FIND_TIMES + 1) * pending_check_ms
end

local function settle(id)
  local c = call_load(id)
  if c and c.a and c.s[PHASE] == PLACING then
    settle_claim(c)
  elseif may_be_found(c) then
    return find(c)
  elseif c and c.talking and now < c.a[A_PLACED] + pending_limit_ms then
    call('ZADD', shard .. ':open', math.min(now + pending_check_ms, c.a[A_PLACED] + pending_limit_ms), id)
  elseif not c or not c.a or c.s[PHASE] ~= PLACED then
    call('ZREM', shard .. ':open', id)
  elseif now < c.a[A_PLACED] + pending_limit_ms then
    return look_up(c)
  else
    close(c)
  end
  return true
end

local function settle_all(from, to)
  local most = tonumber(ARGV[2]) - #results
  for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':open', from, to, 'LIMIT', 0, most)) do
    if one_of(':open', settle, id) == false then
      return
    end
  end
end

-- The times from `latest` to `to` are of a clock that was ahead.
local function clamp(latest, to)
  for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':open', '(' .. text_of(latest), to, 'LIMIT', 0, ARGV[2])) do
    call('ZADD', shard .. ':open', latest, id)
  end
end

call('ZREMRANGEBYSCORE', shard .. ':lined', '-inf', text_of(now))
clamp(now + CLAIM_LONGEST_MS - CLAIMS_FIRST_MS, '(0')
clamp(now + math.min(pending_check_ms, pending_limit_ms), '+inf')
settle_all('-inf', now - CLAIMS_FIRST_MS)
settle_all(0, now)
return finish(results)
