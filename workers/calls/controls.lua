-- Writes down in a shard what an operator said of a campaign, a tenant or a channel, for every script of the shard to
-- read.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] 'pause', 'resume', 'cancel' or 'look'; ARGV[3]
-- "campaign:TENANT/NAME", "tenant:NAME" or "channel:NAME"; ARGV[4] what ivr.audit is to say of it (lib/audit.lua; '' in
-- all shards but the first).
-- Returns {'', '', results}; the results are {what holds now: 'running', 'paused' or 'cancelled', 1 when the shard has
-- counters of that campaign else 0, how many of its calls wait, how many are at their provider and have no end yet (not
-- counted of a channel); both 0 but for 'look'}.
--
-- Promises: from the answer on no call of the shard that it concerns is claimed; twice is once; a cancelled campaign or
-- tenant stays so until resume. A channel's cancel ends what was there when it was said: what comes later is placed.
local audit = require('audit')

local RESUMED_KEEP_MS = 3600 * 1000

-- Of one campaign: those that wait for their first or a further attempt, and those that are Pending.
local function calls_of(shard, campaign)
  local waiting, placed = 0, 0
  local counts = redis.call('HGETALL', shard .. ':n:' .. campaign)
  for i = 1, #counts, 2 do
    local what = string.match(counts[i], '^[^|]*|(.*)$')
    if what == 'waiting' or what == 'retrying' then
      waiting = waiting + tonumber(counts[i + 1])
    elseif what == 's:1' then
      placed = placed + tonumber(counts[i + 1])
    end
  end
  return waiting, placed
end

local function calls_of_tenant(shard, tenant)
  local waiting, placed = 0, 0
  for _, campaign in ipairs(redis.call('ZRANGE', shard .. ':campaigns', 0, -1)) do
    if string.sub(campaign, 1, #tenant + 1) == tenant .. '/' then
      local w, p = calls_of(shard, campaign)
      waiting, placed = waiting + w, placed + p
    end
  end
  return waiting, placed
end

local function calls_concerned(shard, key)
  local kind, name = string.match(key, '^(%a+):(.*)$')
  if kind == 'campaign' then
    return calls_of(shard, name)
  elseif kind == 'tenant' then
    return calls_of_tenant(shard, name)
  end
  return tonumber(redis.call('HGET', shard .. ':waiting', name) or 0), 0
end

return function(keys, args)
  local shard, what, key = keys[1], args[2], args[3]
  local clock = redis.call('TIME')
  local at = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
  local ctl = shard .. ':ctl'
  local channel = string.match(key, '^channel:(.*)')

  if what == 'pause' and (channel or redis.call('HEXISTS', ctl, 'cancel:' .. key) == 0) then
    redis.call('HSETNX', ctl, 'pause:' .. key, at)
  elseif what == 'resume' then
    redis.call('HDEL', ctl, 'pause:' .. key, 'cancel:' .. key)
    if channel then
      redis.call('HSET', shard .. ':resumed', channel, at)
      redis.call('PEXPIRE', shard .. ':resumed', RESUMED_KEEP_MS)
    end
  elseif what == 'cancel' then
    redis.call('HSET', ctl, 'cancel:' .. key, at)
    redis.call('HSET', shard .. ':sweep', 'set', '', 'cursor', '0')
  end

  audit.note(shard, args[4], 'done')

  local state = 'running'
  if redis.call('HEXISTS', ctl, 'cancel:' .. key) == 1 and not channel then
    state = 'cancelled'
  elseif redis.call('HEXISTS', ctl, 'pause:' .. key) == 1 then
    state = 'paused'
  end
  local campaign = string.match(key, '^campaign:(.*)')
  local known = campaign and redis.call('EXISTS', shard .. ':n:' .. campaign) or 0
  if what ~= 'look' then
    return {'', '', cmsgpack.pack({state, known, 0, 0})}
  end
  return {'', '', cmsgpack.pack({state, known, calls_concerned(shard, key)})}
end
