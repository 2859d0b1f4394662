-- Records what became of a claim: the end of the placement request.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id, attempt, token, kind, evidence, wait ms, jitter 0..999, trace, channel, provider}
-- kind: 'accepted', 'refused' (for good), 'refused_now', 'doubt' (may have been placed), 'unreached' (the provider
-- could not be contacted: certainly not placed), 'elsewhere' (the same, and another channel is there to be tried at
-- once), 'back' (not sent, or "not now": no attempt, its number is used again after wait ms), 'busy' (the same: another
-- call to the number is under way; wake.lua makes it due before), 'listed' (not sent: the number is on a do-not-call
-- list, so no attempt and no further one).
-- Returns {outbox id, events, results}; a result is a number: 0 recorded, 1 late (the claim was settled by others:
-- evidence only), 2 unknown (no such call or attempt).
--
-- Promises: the outcome of a claim is recorded once, however often it is asked; what was settled by others is never
-- queued again by its late outcome; what was sent under a claim that Redis forgot (a failover) is not dialled again.
local layout = require('layout')
local applying = require('applying')
local attempts = require('attempts')
local batch = require('batch')
local events = require('events')
local next_step = require('next_step')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local waiting = require('waiting')
local A, CLOSED, PHASE, S = layout.A, layout.CLOSED, layout.PHASE, layout.S
local call = redis.call

local RECORDED, LATE, UNKNOWN = 0, 1, 2
local KEEP_UNREACHED = 10

local UNREACHED = {unreached = true, elsewhere = true}
local UNSENT = {back = true, busy = true, listed = true}

local function give_back(c, kind, wait_ms, trace)
  local s, n = c.s, c.n
  local before = n > 1 and (reading.attempt(c.key, n - 1) or attempts.new(s[S.CHANNEL], '')) or nil
  if c.a[A.REPORTED] == 1 then
    -- The provider knows this attempt although we hold that it was not sent: believe the provider.
    s[S.TOKEN] = ''
    return applying.apply(c, {0, 0, 0, 0, 0, -1, -1, -1, '', 0, '', '', '', '', 0}, true, false, 0, trace)
  end
  attempts.release(c)
  s[S.ATTEMPT], s[S.TOKEN], s[S.BUSY], s[S.BACKS] = n - 1, '', kind == 'busy' and 1 or 0, (s[S.BACKS] or 0) + 1
  call('HDEL', c.key, 'a' .. n)
  c.a, c.n = before, n - 1
  if s[S.WON] > 0 then
    return next_step.enter(s, PHASE.DONE, 1, 0)
  end
  next_step.enter(s, PHASE.WAITING, 0, waiting.before_expiry(c, run.now + wait_ms))
  if kind == 'listed' then
    waiting.wind_up(c, 'do_not_call', trace)
  elseif not waiting.obey(c, s[S.CHANNEL], trace) or s[S.FINAL] == 0 then
    events.emit(c, 'waiting', -1, s[S.STATUS], 0, trace)
  end
end

-- Of the attempts that reached nobody a call keeps the first and the last nine.
local function note_unreached(c)
  local s, kept = c.s, c.s[S.UNREACHED_KEPT]
  s[S.UNREACHED_SINCE] = s[S.UNREACHED_SINCE] > 0 and s[S.UNREACHED_SINCE] or c.a[A.PLACED]
  s[S.UNREACHED_N] = s[S.UNREACHED_N] + 1
  kept[#kept + 1] = c.n
  if #kept > KEEP_UNREACHED then
    call('HDEL', c.key, 'a' .. table.remove(kept, 2))
  end
  c.a[A.UNREACHED], c.a[A.TERMINAL] = 1, 1
end

local function record(r)
  local id, n, token, kind, evidence, wait_ms, jitter, trace, channel, provider = unpack(r)
  local c = reading.load(id, n)
  local sent, forgotten = not UNSENT[kind] and not UNREACHED[kind], c and not c.a
  if not c or (forgotten and not (sent and applying.known(c, channel, provider))) then
    return UNKNOWN
  end
  local s = c.s
  local ours = s[S.TOKEN] == token and s[S.ATTEMPT] == n
  local is_response = ours or s[S.TOKEN] == '' -- else another claim of that number is out, whose response tells the id
  if not ours and not forgotten and (not sent or kind == 'doubt') then
    return LATE
  end
  if ours then
    s[S.TOKEN] = ''
  end
  if UNSENT[kind] then
    give_back(c, kind, wait_ms, trace)
  else
    if UNREACHED[kind] then
      c.elsewhere = kind == 'elsewhere'
      note_unreached(c)
    elseif c.a[A.PERMANENT] == 0 and
        (kind == 'refused' or (kind == 'refused_now' and c.a[A.CLOSED] == CLOSED.SETTLED)) then
      c.a[A.PERMANENT], c.dirty = 1, true
    end
    applying.apply(c, evidence, kind == 'accepted', is_response, jitter, trace)
  end
  if ours or applying.changed(c) then
    saving.save(c)
  end
  return ours and RECORDED or LATE
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(record))
end
