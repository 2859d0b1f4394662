-- Writes down in a shard what an operator said of a campaign, a tenant or a channel, for every script of the shard to
-- read.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] 'pause', 'resume', 'cancel' or 'look'; ARGV[3]
-- "campaign:TENANT/NAME", "tenant:NAME" or "channel:NAME"; ARGV[4] what ivr.audit is to say of it (lib/audit.lua; '' in
-- all shards but the first).
-- Returns {'', '', results}; the results are {what holds now: 'running', 'paused' or 'cancelled', 1 when the shard has
-- counters of that campaign else 0}.
--
-- Promises: from the answer on no call of the shard that it concerns is claimed; twice is once; a cancelled campaign or
-- tenant stays so until resume. A channel's cancel ends what was there when it was said: what comes later is placed.
local audit = require('audit')

local RESUMED_KEEP_MS = 3600 * 1000

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
  return {'', '', cmsgpack.pack({state, known})}
end
