-- Applies what providers report (callbacks, look-ups) to attempts.
--
-- KEYS[1] the shard; ARGV[1] see lib/call.lua; ARGV[2..] one cmsgpack array each:
--   {id, attempt, channel, provider, evidence, jitter 0..999, trace, called}
-- called: nil where the reference (id, attempt) is proved: a signature or a token covers it, its provider's id is linked to it, or
-- it is ours. Else what is proved is the report's text alone: then the number that it says was called, '' without.
-- Returns {outbox id, events, results}; a result is a number: 8 times what became of it, plus the call's status (0 to 7) after it,
-- plus 64 where reports alone told the provider's id, this one too: no response came that would have linked it, so whoever asks
-- has to. What became of it: 0 recorded (something was new), 1 repeated, 2 unknown (no such call or attempt on this channel),
-- 3 another call's (the provider's id is not the attempt's), 4 unproved (only the provider's id can say whose it is), 5 it fits
-- (unproved too, but it names the number of an attempt in doubt: link the id to it, unless it is another attempt's).
--
-- Promises: duplicates and any order end in the same state; what was seen before changes nothing and emits nothing. Who
-- may report on one channel changes nothing on another, and makes no attempt that was not given out to it: a reference can be
-- anybody's. A report of another call of the provider's (a child leg, an exchanged path) changes nothing.
--#include lib/call.lua

local RECORDED, REPEATED, UNKNOWN, FOREIGN, UNPROVED, FITS = 0, 8, 16, 24, 32, 40
local UNLINKED = 64

-- Nobody will bring a response that tells the provider's id.
local function has_no_response(c)
  return c.a[A_ID_SURE] == 0 and c.a[A_STATUS] > 0 and (c.n < c.s[ATTEMPT] or c.s[TOKEN] == '')
end

local function is_called(c, number)
  local readable, request = pcall(cjson.decode, call('HGET', c.key, 'q') or '')
  return number ~= '' and readable and request.to == number
end

-- Why a report is not to be applied; nil where it is.
local function refusal(c, channel, said_id, called)
  local known = c and (c.a and c.a[A_CHANNEL] == channel or is_forgotten_claim(c, channel))
  if not known then
    return called and UNPROVED or UNKNOWN
  elseif not c.a then
    return called and UNPROVED or nil
  end
  local sure = c.a[A_ID_SURE] == 1
  if called and not (sure and said_id == c.a[A_ID]) then
    return said_id ~= '' and has_no_response(c) and is_called(c, called) and FITS or UNPROVED
  end
  return sure and said_id ~= '' and said_id ~= c.a[A_ID] and FOREIGN or nil
end

local function record(r)
  local id, n, channel, provider, evidence, jitter, trace, called = unpack(r)
  local c = call_load(id, n)
  local refused = refusal(c, channel, evidence[E_ID], called)
  if refused then
    return refused
  end
  attempt_known(c, channel, provider)
  apply(c, evidence, true, false, jitter, trace)
  local unlinked = evidence[E_ID] ~= '' and c.a[A_ID_SURE] == 0 and UNLINKED or 0
  if not call_changed(c) then
    return REPEATED + c.s[STATUS] + unlinked
  end
  call_save(c)
  return RECORDED + c.s[STATUS] + unlinked
end

local results = {}
for i = 2, #ARGV do
  results[i - 1] = record(unpack_value(ARGV[i]))
end
return finish(results)
