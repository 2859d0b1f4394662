-- May this person be called now: the do-not-call lists, and one call at a time. The last question before a call is
-- dialled, asked by the owner of its claim.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {tenant, number, line ('' is not asked for, else "TENANT|CHANNEL|NUMBER"), "tenant/call_id", attempt, hold ms}
--   :lock:LINE      the attempt that has the line to the contact, "tenant/call_id/attempt"; it ends by itself after
--                   hold ms
--   :lock:LINE:w    zset of calls that found it busy, by when
-- Returns {'', '', results}; a result is 0 (go on; the line is theirs), 1 (the number is on the tenant's list or on
-- that of all tenants, "*"), 2 (another call has the line: unlock.lua names one of those that wait when it is free).
--
-- Promises: of all calls that ask for a line one has it; a call is never locked out by an attempt of its own; twice is
-- once.
local FREE, LISTED, BUSY = 0, 1, 2
local WAIT_MS = 24 * 3600 * 1000

-- What one call works with: set anew by each.
local shard, now, all

local function listed(tenant, number)
  return redis.call('ZSCORE', shard .. ':dnc:' .. tenant, number) or
    (all and redis.call('ZSCORE', shard .. ':dnc:*', number))
end

local function lock(line, id, attempt, hold_ms)
  local key = shard .. ':lock:' .. line
  local holder = redis.call('GET', key)
  local other, n = string.match(holder or '', '^(.*)/(%d+)$')
  if holder and other ~= id then
    redis.call('ZADD', key .. ':w', 'NX', now, id)
    redis.call('PEXPIRE', key .. ':w', WAIT_MS)
    return BUSY
  end
  if not holder or tonumber(n) <= attempt then
    redis.call('SET', key, id .. '/' .. string.format('%.0f', attempt), 'PX', string.format('%.0f', hold_ms))
    redis.call('ZREM', key .. ':w', id)
  end
  return FREE
end

return function(keys, args)
  shard = keys[1]
  local clock = redis.call('TIME')
  now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
  all = redis.call('EXISTS', shard .. ':dnc:*') == 1

  local results = {}
  for i = 2, #args do
    local tenant, number, line, id, attempt, hold_ms = unpack(cmsgpack.unpack(args[i]))
    if listed(tenant, number) then
      results[i - 1] = LISTED
    else
      results[i - 1] = line == '' and FREE or lock(line, id, attempt, hold_ms)
    end
  end
  return {'', '', cmsgpack.pack(results)}
end
