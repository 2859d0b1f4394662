-- Does what operators said with the calls that stand in the shard: brings back what is no longer paused, ends what is
-- cancelled and waits, marks what is cancelled and on its way.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2] most calls to look at.
-- Returns {outbox id, events, results}; the results are {1 when there is more to do now else 0, channels that were resumed
-- within the last hour: name, when, name, when, ...}.
--
-- Promises: a held call ends at its expires_at; it comes back to :due once nothing pauses it; whatever moves between the
-- indexes meanwhile, no call of a cancelled campaign, tenant or channel is left waiting: the ways into :due (a retry, a claim
-- given back, a hold that ends) look at :ctl themselves, so one walk over the indexes finds the others.
--#include lib/call.lua
--#include lib/index.lua

local left = tonumber(ARGV[2])

-- A call that stands in this hold, or nil: it is removed from it.
local function held_in(key, id)
  left = left - 1
  local c = one_of(':hold:' .. key, call_load, id)
  if c and c.s[PHASE] == WAITING and c.hold == key then
    return c
  end
  call('ZREM', shard .. ':hold:' .. key, id)
end

local function expire(key)
  for _, id in ipairs(call('ZRANGEBYSCORE', shard .. ':hold:' .. key, '-inf', now, 'LIMIT', 0, left)) do
    local c = held_in(key, id)
    if c then
      run_out(c, '')
    end
  end
end

-- Those that something else pauses go on to its hold.
local function release(key)
  for _, id in ipairs(call('ZRANGE', shard .. ':hold:' .. key, 0, left - 1)) do
    local c = held_in(key, id)
    if c then
      obey(c, c.s[CHANNEL], '')
      call_save(c)
    end
  end
end

local function look_at_holds()
  local holds = call('SMEMBERS', shard .. ':holds')
  for _, key in ipairs(holds) do
    local at = shard .. ':hold:' .. key
    if left > 0 then
      expire(key)
    end
    if left > 0 and key ~= 'call' and call('HEXISTS', shard .. ':ctl', 'pause:' .. key) == 0 then
      release(key)
    end
    if call('EXISTS', at) == 0 then
      call('SREM', shard .. ':holds', key)
    end
  end
  table.sort(holds)
  return holds
end

local function end_or_mark(id)
  left = left - 1
  local c = call_load(id)
  if not c or c.s[FINAL] == 1 or control_of(c, c.s[CHANNEL]) ~= 'cancel' then
    return
  end
  if c.s[PHASE] == WAITING then
    wind_up(c, 'cancelled', '')
  else
    c.s[CANCELLED] = 1
  end
  call_save(c)
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
  local place = call('HMGET', shard .. ':sweep', 'set', 'cursor')
  local set, cursor = place[1], place[2]
  if set == '' then
    set, cursor = after('', holds), '0'
  end
  local found = call('ZSCAN', shard .. set, cursor, 'COUNT', left)
  for i = 1, #found[2], 2 do
    reading.one(end_or_mark, found[2][i])
  end
  if found[1] == '0' then
    set = after(set, holds)
  end
  if set then
    call('HSET', shard .. ':sweep', 'set', set, 'cursor', found[1])
  else
    call('DEL', shard .. ':sweep')
  end
end

local holds = look_at_holds()
if left > 0 and call('EXISTS', shard .. ':sweep') == 1 then
  walk(holds)
end
local more = left <= 0 or call('EXISTS', shard .. ':sweep') == 1
return finish({more and 1 or 0, call('HGETALL', shard .. ':resumed')})
