-- Notes that records and what ivr.audit says are on their topics (take_records.lua), or that nobody knows.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each: {'record', id, lease}, {'unsure', id,
-- lease} (it may have come, or come yet: it is sent again) or {'audit', text}.
-- Returns {'', '', results}; a result is 1.
--
-- Promises: a record that may be older than another one that was sent is followed by the present one.
local audit = require('audit')
local records = require('records')
local run = require('run')
local pack, unpack_value = cmsgpack.pack, cmsgpack.unpack

return function(keys, args)
  run.begin(keys, args)
  local results = {}
  for i = 2, #args do
    local kind, what, lease = unpack(unpack_value(args[i]))
    if kind == 'record' or kind == 'unsure' then
      records.sent(what, lease, kind == 'record')
    else
      audit.sent(run.shard, what)
    end
    results[i - 1] = 1
  end
  return {'', '', pack(results)}
end
