-- Gives a summary its revision: compare-and-set, so that of two reporters only the one that read last publishes.
--
-- KEYS[1] the shard of the summary's key; ARGV[1] the summary's key; ARGV[2] the revision that was read before the
-- counters ('' none); ARGV[3] how long it is kept after the last change, ms.
-- Returns the new revision, or '' on conflict (read again).
--
-- Promise: revisions of a key grow strictly, also after Redis forgot: they are at least the time in ms.
return function(keys, args)
  local key = keys[1] .. ':rev:' .. args[1]
  local stored = redis.call('GET', key) or ''
  if stored ~= args[2] then
    return ''
  end
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local revision = string.format('%.0f', math.max((tonumber(stored) or 0) + 1, now))
  redis.call('SET', key, revision, 'PX', args[3])
  return revision
end
