-- Applies what providers report (callbacks, look-ups) to attempts.
--
-- KEYS[1] the shard; ARGV[1] see lib/run.lua; ARGV[2..] one cmsgpack array each:
--   {id, attempt, channel, provider, evidence, jitter 0..999, trace, called}
-- called: nil where the reference (id, attempt) is proved: a signature or a token covers it, its provider's id is
-- linked to it, or it is ours. Else what is proved is the report's text alone: then the number that it says was called,
-- '' without.
-- Returns {outbox id, events, results}; a result is a number: 8 times what became of it, plus the call's status (0 to
-- 7) after it, plus 64 where the provider's id came from reports alone, this one too: no response came that would have
-- linked it, so whoever asks has to. What became of it: 0 recorded (something was new), 1 repeated, 2 unknown (no such
-- call or attempt on this channel), 3 another call's (the provider's id is not the attempt's), 4 unproved (only the
-- provider's id can say whose it is), 5 it fits (unproved too, but it names the number of an attempt in doubt: link the
-- id to it, unless it is another attempt's).
--
-- Promises: duplicates and any order end in the same state; what was seen before changes nothing and emits nothing. Who
-- may report on one channel changes nothing on another, and makes no attempt that was not given out to it: a reference
-- can be anybody's. A report of another call of the provider's (a child leg, an exchanged path) changes nothing. The
-- events that reports of one attempt make are bounded.
local layout = require('layout')
local applying = require('applying')
local batch = require('batch')
local hops = require('hops')
local reading = require('reading')
local run = require('run')
local saving = require('saving')
local A, E, PHASE, S = layout.A, layout.E, layout.PHASE, layout.S
local call = redis.call

local RECORDED, REPEATED, UNKNOWN, FOREIGN, UNPROVED, FITS = 0, 8, 16, 24, 32, 40
local UNLINKED = 64
local MAX_REFINEMENTS = 100

-- Whether attempt c.n may be a claim that Redis forgot: the next one of a call that was dialled before and is to be
-- dialled again by now, on the channel that it is dialled on. A stranger's word makes no other attempt: whoever reports
-- of a call that was never dialled, is over, or is another channel's, speaks of nothing that we gave out.
local function is_forgotten_claim(c, channel)
  local s = c.s
  return not c.a and c.n == s[S.ATTEMPT] + 1 and s[S.ATTEMPT] > 0 and s[S.PHASE] == PHASE.WAITING and
    s[S.NEXT_AT] <= run.now and s[S.CHANNEL] == channel
end

-- Whether the provider has refined the attempt's reason, seconds, cost or id so often that a report which does nothing
-- else is not read any more. What an attempt comes to (status, end, hops) is a finite set, so one makes at most 130
-- events, whatever is reported of it; a provider refines one a handful of times.
local function is_full(a, e)
  if (a[A.REFINED] or 0) < MAX_REFINEMENTS or e[E.STATUS] > a[A.STATUS] or e[E.TERMINAL] > a[A.TERMINAL] or
      e[E.PERMANENT] > a[A.PERMANENT] or a[A.REPORTED] == 0 or a[A.UNREACHED] == 1 then
    return false
  end
  for _, hop in ipairs(hops.within(e[E.HOPS])) do
    if a[A.HOPS + 3 * hop + 1] == 0 then
      return false
    end
  end
  return true
end

-- Nobody will bring a response that tells the provider's id.
local function has_no_response(c)
  return c.a[A.ID_SURE] == 0 and c.a[A.STATUS] > 0 and (c.n < c.s[S.ATTEMPT] or c.s[S.TOKEN] == '')
end

local function is_called(c, number)
  local readable, request = pcall(cjson.decode, call('HGET', c.key, 'q') or '')
  return number ~= '' and readable and request.to == number
end

-- Why a report is not to be applied; nil where it is.
local function refusal(c, channel, said_id, called)
  local known = c and (c.a and c.a[A.CHANNEL] == channel or is_forgotten_claim(c, channel))
  if not known then
    return called and UNPROVED or UNKNOWN
  elseif not c.a then
    return called and UNPROVED or nil
  end
  local sure = c.a[A.ID_SURE] == 1
  if called and not (sure and said_id == c.a[A.ID]) then
    return said_id ~= '' and has_no_response(c) and is_called(c, called) and FITS or UNPROVED
  end
  return sure and said_id ~= '' and said_id ~= c.a[A.ID] and FOREIGN or nil
end

local function record(r)
  local id, n, channel, provider, evidence, jitter, trace, called = unpack(r)
  local c = reading.load(id, n, evidence[E.TERMINAL] == 0)
  local refused = refusal(c, channel, evidence[E.ID], called)
  if refused then
    return refused
  end
  applying.known(c, channel, provider)
  if is_full(c.a, evidence) then
    return REPEATED + c.s[S.STATUS]
  end
  applying.apply(c, evidence, true, false, jitter, trace)
  local unlinked = evidence[E.ID] ~= '' and c.a[A.ID_SURE] == 0 and UNLINKED or 0
  if not applying.changed(c) then
    return REPEATED + c.s[S.STATUS] + unlinked
  end
  saving.save(c)
  return RECORDED + c.s[S.STATUS] + unlinked
end

return function(keys, args)
  run.begin(keys, args)
  return batch.finish(batch.each(record))
end
