-- Hands out the calls whose records are to be sent (lib/records.lua), each to one sender until its lease is over, and
-- what ivr.audit is to say.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2] most of either; ARGV[3] lease ms, longer than a producer goes on
-- trying (workers/calls/records.h).
-- Returns {'', '', results}; the results are {records, audits}: records are {lease, row (layout.RECORD)}, audits
-- {lease, text} ("KEY\nJSON", lib/audit.lua). sent_records.lua says that they are on their topics.
--
-- Promises: after everything is sent the last record of a call is the newest, whoever dies or comes late meanwhile.
local layout = require('layout')
local audit = require('audit')
local batch = require('batch')
local reading = require('reading')
local records = require('records')
local run = require('run')
local S = layout.S
local call, pack = redis.call, cmsgpack.pack

-- How long a call that cannot be read is left alone.
local UNREADABLE_MS = 600000

-- The times behind `latest` are of a clock that was ahead (a failover).
local function clamp(key, latest, wait)
  for _, member in ipairs(call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', latest), '+inf', 'LIMIT', 0, 64)) do
    wait(member)
  end
end

local function due(key, most)
  return call('ZRANGEBYSCORE', key, '-inf', run.now, 'LIMIT', 0, most)
end

local function record_of(id)
  local c = reading.load(id)
  if c and c.s[S.ATTEMPT] > 0 and not c.a then
    reading.cannot(c.key, 'its field a' .. c.n .. ' is missing')
  end
  return c and records.row(c)
end

return function(keys, args)
  run.begin(keys, args)
  local most, lease = tonumber(args[2]), run.now + tonumber(args[3])
  local found, said = {}, {}
  clamp(run.shard .. ':records', math.max(lease, run.now + UNREADABLE_MS) + 1, records.wait)
  for _, id in ipairs(due(run.shard .. ':records', most)) do
    local row = batch.one(record_of, id)
    if not row then
      call('ZREM', run.shard .. ':records', id)
    elseif row[1] == 'unreadable' then
      records.take(id, run.now + UNREADABLE_MS)
    else
      records.take(id, lease)
      found[#found + 1] = {lease, row}
    end
  end
  clamp(run.shard .. ':audit', lease, function(text)
    audit.take(run.shard, text, run.now)
  end)
  for _, text in ipairs(due(run.shard .. ':audit', most)) do
    audit.take(run.shard, text, lease)
    said[#said + 1] = {lease, text}
  end
  return {'', '', pack({found, said}), unpack(run.unreadable)}
end
