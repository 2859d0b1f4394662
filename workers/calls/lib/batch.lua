-- Every function that works on calls: each record of its batch by itself, and in the end what was collected over the
-- whole batch is written, once.
local counters = require('counters')
local run = require('run')
local pack, unpack_value, call = cmsgpack.pack, cmsgpack.unpack, redis.call

-- Works on one call; {'unreadable', sentence} where that could not be read (workers/store/batch.c knows it).
local function one(work, record)
  local ok, result = pcall(work, record)
  if ok then
    return result
  end
  local why = type(result) == 'table' and result.unreadable
  if run.reading_key then
    why = run.reading_key .. ' cannot be read: its field ' .. run.reading_field ..
      ' is not what this version writes there'
    run.reading_key = nil
  elseif not why then
    error(result, 0)
  end
  run.unreadable[#run.unreadable + 1] = why
  return {'unreadable', why}
end

-- Works on the records ARGV[2..], each by itself.
local function each(work)
  local results = {}
  for i = 2, #run.args do
    results[i - 1] = one(work, unpack_value(run.args[i]))
  end
  return results
end

-- Writes the collected counters and the outbox entry. Returns {outbox id, packed events, packed results}, and behind
-- them the calls that cannot be read, as sentences.
local function finish(results)
  counters.write(':n:', ':campaigns', run.campaigns, '^([^|]*|)r:(.*)$', function(key, name)
    if run.first_calls[name] then
      call('HSETNX', key, 'first', string.format('%.0f', run.now))
    end
  end)
  counters.write(':w:', ':windows', run.windows, '^(.-)r:(.*)$', function(key, name, counts)
    if counts.attempts then
      local minute = tonumber(string.match(name, '|(%d+)$'))
      call('PEXPIREAT', key, string.format('%.0f', minute + counters.WINDOW_KEEP_MS))
    end
  end)
  for channel, delta in pairs(run.waiting) do
    if delta ~= 0 then
      call('HINCRBY', run.shard .. ':waiting', channel, counters.text_of(delta))
    end
  end
  local packed = #results > 0 and pack(results) or ''
  if #run.events == 0 then
    return {'', '', packed, unpack(run.unreadable)}
  end
  local blob = pack(run.events)
  return {call('XADD', run.shard .. ':out', '*', 'e', blob), blob, packed, unpack(run.unreadable)}
end

-- Works on a call that an index names. One that cannot be read is put off, in :due, so that nothing spins on it and it
-- is still met once somebody has mended it. nil then.
local function one_of(index, work, id)
  local result = one(work, id)
  if type(result) == 'table' and result[1] == 'unreadable' then
    call('ZREM', run.shard .. index, id)
    call('ZADD', run.shard .. ':due', run.now + 600000, id)
    return nil
  end
  return result
end

return {one = one, each = each, one_of = one_of, finish = finish}
