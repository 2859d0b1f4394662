-- Looks at calls that a slow walk came by (workers/dispatch/mend.h), and puts those back that stand in no index.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each: {id}
-- Returns {outbox id, events, results}; a result is '' (it stands where it should, or Redis does not know it), or what was
-- mended: 'due', 'hold', 'open', or 'expiry' (it would have stayed for ever, or been forgotten before its end).
--
-- Promises: nothing of the call changes, and what stands in an index stays as it is there; twice is once. A claim that nobody
-- would have settled has as long as the longest claim may have: its owner may be alive.
--#include lib/call.lua

-- The longest request_timeout that a channel may have (5 minutes), and 10 s; how long a doubtful call is asked for (settle.lua).
local CLAIM_LONGEST_MS, FIND_MS = 310 * 1000, 4 * pending_check_ms

local function stands_in(index, id)
  return call('ZSCORE', shard .. index, id)
end

local function mend_waiting(c)
  local hold = c.hold
  if stands_in(':due', c.id) or (hold ~= '' and stands_in(':hold:' .. hold, c.id)) then
    return ''
  elseif hold == '' then
    call('ZADD', shard .. ':due', c.s[NEXT_AT], c.id)
    return 'due'
  end
  local expires = policy(c)[P_EXPIRES]
  call('ZADD', shard .. ':hold:' .. hold, expires > 0 and expires or '+inf', c.id)
  call('SADD', shard .. ':holds', hold)
  return 'hold'
end

-- When somebody must look at it, or nil where nobody has to.
local function open_at(c)
  local s, a = c.s, c.a
  if s[PHASE] == PLACING then
    return now + CLAIM_LONGEST_MS - CLAIMS_FIRST_MS
  elseif s[PHASE] == PLACED then
    return a[A_PLACED] + math.min(pending_check_ms, pending_limit_ms)
  elseif c.talking and now < a[A_PLACED] + pending_limit_ms then
    return math.min(now + pending_check_ms, a[A_PLACED] + pending_limit_ms)
  elseif c.doubtful and now < a[A_PLACED] + FIND_MS then
    return now + pending_check_ms
  end
end

local function mend_open(c)
  local at = open_at(c)
  if not at or stands_in(':open', c.id) then
    return ''
  end
  call('ZADD', shard .. ':open', at, c.id)
  return 'open'
end

local function mend_expiry(c)
  local expires = call('PTTL', c.key) >= 0
  if c.final == 1 and not expires then
    call('PEXPIRE', c.key, retention_ms)
    return 'expiry'
  elseif c.final == 0 and expires then
    call('PERSIST', c.key)
    return 'expiry'
  end
  return ''
end

local function mend(r)
  local c = call_load(r[1])
  if not c then
    return ''
  elseif not c.a and (c.phase == PLACING or c.phase == PLACED) then
    reading.cannot(c.key, 'its attempt ' .. c.n .. ' is missing')
  end
  local expiry = mend_expiry(c)
  local mended = c.phase == WAITING and mend_waiting(c) or mend_open(c)
  return mended ~= '' and mended or expiry
end

return finish(each(mend))
