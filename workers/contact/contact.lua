-- May this person be called now: the do-not-call lists, and one call at a time. The last question before a call is
-- dialled, asked by the owner of its claim.
--
-- KEYS[1] the shard of the numbers; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {tenant, number, contact lock ('' is not asked for, else "TENANT|CHANNEL|NUMBER"), "tenant/call_id", claim_no,
--    hold ms}
--   :lock:NAME      the claim that has the contact lock, "tenant/call_id/claim_no"; it ends by itself after hold ms
--   :lock:NAME:w    zset of calls that found it taken, by when
-- Returns {'', '', results}; a result is 0 (go on; the lock is theirs), 1 (the number is on the tenant's list or on
-- that of all tenants, "*"), 2 (another call has the lock: unlock.lua names one of those that wait when it is free).
--
-- Promises: of all calls that ask for a lock one has it; a call is never locked out by a claim of its own; twice is
-- once.
local FREE, LISTED, BUSY = 0, 1, 2
local WAIT_MS = 24 * 3600 * 1000

-- What one call works with: set anew by each.
local shard, now, all

local function listed(tenant, number)
  return redis.call('ZSCORE', shard .. ':dnc:' .. tenant, number) or
    (all and redis.call('ZSCORE', shard .. ':dnc:*', number))
end

local function lock(name, id, claim_no, hold_ms)
  local key = shard .. ':lock:' .. name
  local holder = redis.call('GET', key)
  local other, n = string.match(holder or '', '^(.*)/(%d+)$')
  if holder and other ~= id then
    redis.call('ZADD', key .. ':w', 'NX', now, id)
    redis.call('PEXPIRE', key .. ':w', WAIT_MS)
    return BUSY
  end
  if not holder or tonumber(n) <= claim_no then
    redis.call('SET', key, id .. '/' .. string.format('%.0f', claim_no), 'PX', string.format('%.0f', hold_ms))
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
    local tenant, number, name, id, claim_no, hold_ms = unpack(cmsgpack.unpack(args[i]))
    if listed(tenant, number) then
      results[i - 1] = LISTED
    else
      results[i - 1] = name == '' and FREE or lock(name, id, claim_no, hold_ms)
    end
  end
  return {'', '', cmsgpack.pack(results)}
end
