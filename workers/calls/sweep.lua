-- Does what operators said with the calls that stand in the shard: brings back what is no longer paused, ends what is
-- cancelled and waits, marks what is cancelled and on its way.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] most calls to look at.
-- Returns {outbox id, events, results}; the results are {1 when there is more to do now else 0, channels that were
-- resumed within the last hour: name, when, name, when, ...}.
--
-- Promises: a held call ends at its expires_at; it comes back to :due once nothing pauses it; whatever moves between
-- the indexes meanwhile, no call of a cancelled campaign, tenant or channel is left waiting: the ways into :due (a
-- retry, a claim given back, a hold that ends) look at :ctl themselves, so one walk over the indexes finds the others.
local layout = require('layout')
local batch = require('batch')
local operators = require('operators')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local waiting = require('waiting')
local PHASE, S = layout.PHASE, layout.S
local call = redis.call

-- What one call works with: set anew by each.
local left

-- A call that stands in this hold, or nil: it is removed from it.
local function held_in(key, id)
  left = left - 1
  local c = batch.one_of(':hold:' .. key, reading.load, id)
  if c and c.s[S.PHASE] == PHASE.WAITING and c.hold == key then
    return c
  end
  call('ZREM', run.shard .. ':hold:' .. key, id)
end

local function expire(key)
  for _, id in ipairs(call('ZRANGEBYSCORE', run.shard .. ':hold:' .. key, '-inf', run.now, 'LIMIT', 0, left)) do
    local c = held_in(key, id)
    if c then
      waiting.run_out(c, '')
    end
  end
end

-- Those that something else pauses go on to its hold.
local function release(key)
  for _, id in ipairs(call('ZRANGE', run.shard .. ':hold:' .. key, 0, left - 1)) do
    local c = held_in(key, id)
    if c then
      waiting.obey(c, c.s[S.CHANNEL], '')
      saving.save(c)
    end
  end
end

local function look_at_holds()
  local holds = call('SMEMBERS', run.shard .. ':holds')
  for _, key in ipairs(holds) do
    local at = run.shard .. ':hold:' .. key
    if left > 0 then
      expire(key)
    end
    if left > 0 and key ~= 'call' and call('HEXISTS', run.shard .. ':ctl', 'pause:' .. key) == 0 then
      release(key)
    end
    if call('EXISTS', at) == 0 then
      call('SREM', run.shard .. ':holds', key)
    end
  end
  table.sort(holds)
  return holds
end

local function end_or_mark(id)
  left = left - 1
  local c = reading.load(id)
  if not c or c.s[S.FINAL] == 1 or operators.control_of(c, c.s[S.CHANNEL]) ~= 'cancel' then
    return
  end
  if c.s[S.PHASE] == PHASE.WAITING then
    waiting.wind_up(c, 'cancelled', '')
  else
    c.s[S.CANCELLED] = 1
  end
  saving.save(c)
end

-- The indexes, in the order of the walk.
local function after(set, holds)
  if set == '' then
    return ':open'
  elseif set == ':open' then
    return ':due'
  end
  for _, key in ipairs(holds) do
    if ':hold:' .. key > set then
      return ':hold:' .. key
    end
  end
end

-- One step of the walk. Its place is kept in the shard, so that several workers walk together.
local function walk(holds)
  local place = call('HMGET', run.shard .. ':sweep', 'set', 'cursor')
  local set, cursor = place[1], place[2]
  if set == '' then
    set, cursor = after('', holds), '0'
  end
  local found = call('ZSCAN', run.shard .. set, cursor, 'COUNT', left)
  for i = 1, #found[2], 2 do
    batch.one(end_or_mark, found[2][i])
  end
  if found[1] == '0' then
    set = after(set, holds)
  end
  if set then
    call('HSET', run.shard .. ':sweep', 'set', set, 'cursor', found[1])
  else
    call('DEL', run.shard .. ':sweep')
  end
end

return function(keys, args)
  run.begin(keys, args)
  left = tonumber(args[2])

  local holds = look_at_holds()
  if left > 0 and call('EXISTS', run.shard .. ':sweep') == 1 then
    walk(holds)
  end
  local more = left <= 0 or call('EXISTS', run.shard .. ':sweep') == 1
  return batch.finish({more and 1 or 0, call('HGETALL', run.shard .. ':resumed')})
end
