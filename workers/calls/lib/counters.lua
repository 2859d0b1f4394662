-- Counters: hashes by campaign (:n:TENANT/CAMPAIGN, fields CHANNEL|what) and by window, one minute of a channel's
-- attempts (:w:TENANT/CAMPAIGN|CHANNEL|MINUTE, lives 48 h). Changes are collected as deltas, in run.campaigns and
-- run.windows, and written once (batch.finish).
local layout = require('layout')
local attempts = require('attempts')
local hops = require('hops')
local reasons = require('reasons')
local run = require('run')
local A, PHASE, S, STATUS = layout.A, layout.PHASE, layout.S, layout.STATUS
local call = redis.call

local WINDOW_MS, WINDOW_KEEP_MS = 60000, 48 * 3600 * 1000

local function add(counts, field, delta)
  counts[field] = (counts[field] or 0) + delta
end

local function counts_of(all, key)
  local counts = all[key]
  if not counts then
    counts = {}
    all[key] = counts
  end
  return counts
end

-- A call stands in exactly one of: waiting, dropped by reason, its status. s[REASON] is the name that its reason is
-- counted by.
local function count_call(s, delta)
  local counts, channel = counts_of(run.campaigns, s[S.CAMPAIGN]), s[S.CHANNEL] .. '|'
  add(counts, channel .. 'calls', delta)
  if s[S.STATUS] == 0 then
    add(counts, channel .. (s[S.PHASE] == PHASE.DROPPED and 'd:' .. s[S.DROP] or 'waiting'), delta)
    return
  end
  add(counts, channel .. 's:' .. s[S.STATUS], delta)
  if s[S.REASON] ~= '' then
    add(counts, channel .. 'r:' .. s[S.REASON], delta)
  end
  local another = s[S.PHASE] == PHASE.WAITING or (s[S.PHASE] == PHASE.PLACING and s[S.SOURCE] < s[S.ATTEMPT])
  if s[S.FINAL] == 0 and another then
    add(counts, channel .. 'retrying', delta)
  elseif s[S.FINAL] == 0 and s[S.STATUS] ~= STATUS.PENDING then
    add(counts, channel .. 'unended', delta) -- at its provider, which has told something else than "Pending" already
  end
end

-- The window of an attempt's minute and its name, or nil when its counters are gone.
local function window_of(s, a)
  local minute = a[A.PLACED] - a[A.PLACED] % WINDOW_MS
  if minute + WINDOW_KEEP_MS <= run.now then
    return nil
  end
  local name = s[S.CAMPAIGN] .. '|' .. a[A.CHANNEL] .. '|' .. string.format('%.0f', minute)
  return counts_of(run.windows, name), name
end

-- Seconds to a histogram's bucket: exact to 60, then 5 % wide (workers/calls/counters.c turns it back).
local function bucket(seconds)
  if seconds <= 60 then
    return seconds
  end
  return 60 + math.ceil(math.log(seconds / 60) / math.log(1.05) - 1e-9)
end

local function count_both(counts, channel, window, field, delta)
  add(counts, channel .. field, delta)
  if window then
    add(window, field, delta)
  end
end

local function count_seconds(counts, channel, window, name, before, after)
  if before >= 0 then
    count_both(counts, channel, window, name .. ':' .. bucket(before), -1)
    count_both(counts, channel, window, name .. 'sum', -before)
  end
  if after >= 0 then
    count_both(counts, channel, window, name .. ':' .. bucket(after), 1)
    count_both(counts, channel, window, name .. 'sum', after)
  end
end

local function count_window_status(window, status, code, delta)
  if status > 0 then
    add(window, 's:' .. status, delta)
    if code ~= '' then
      add(window, 'r:' .. code, delta)
    end
  end
end

local function count_in_window(window, name, a, old)
  count_window_status(window, old.status, old.counted, -1)
  local counted = reasons.name(run.shard .. ':w:' .. name, '', a[A.CODE])
  if counted ~= a[A.CODE] then
    attempts.with_tail(a)[A.COUNTED] = counted
  else
    a[A.COUNTED] = nil
  end
  count_window_status(window, a[A.STATUS], counted, 1)
end

-- Moves the attempt's part of campaign and window from what it was (`old`) to what it is.
local function count_attempt(s, a, old, new_hops)
  local counts, channel = counts_of(run.campaigns, s[S.CAMPAIGN]), a[A.CHANNEL] .. '|'
  local window, name = window_of(s, a)
  if old.status == 0 then
    count_both(counts, channel, window, 'attempts', 1)
  end
  if window and (old.status ~= a[A.STATUS] or old.code ~= a[A.CODE]) then
    count_in_window(window, name, a, old)
  end
  for _, hop in ipairs(hops.within(new_hops)) do
    count_both(counts, channel, window, 'h:' .. hop, 1)
  end
  if old.ring ~= a[A.RING] then
    count_seconds(counts, channel, window, 'ring', old.ring, a[A.RING])
  end
  if old.talk ~= a[A.TALK] then
    count_seconds(counts, channel, window, 'talk', old.talk, a[A.TALK])
  end
  if old.cost ~= a[A.COST] or old.currency ~= a[A.CURRENCY] then
    if old.cost >= 0 then
      count_both(counts, channel, window, 'cost:' .. old.currency, -old.cost)
    end
    if a[A.COST] >= 0 then
      count_both(counts, channel, window, 'cost:' .. a[A.CURRENCY], a[A.COST])
    end
  end
end

-- What of a call its place in the counters depends on.
local function place_of(s)
  return {[S.STATUS] = s[S.STATUS], [S.PHASE] = s[S.PHASE], [S.FINAL] = s[S.FINAL], [S.CHANNEL] = s[S.CHANNEL],
    [S.REASON] = s[S.REASON], [S.SOURCE] = s[S.SOURCE], [S.ATTEMPT] = s[S.ATTEMPT], [S.DROP] = s[S.DROP],
    [S.CAMPAIGN] = s[S.CAMPAIGN]}
end

local function same_place(a, b)
  return a[S.STATUS] == b[S.STATUS] and a[S.PHASE] == b[S.PHASE] and a[S.FINAL] == b[S.FINAL] and
    a[S.CHANNEL] == b[S.CHANNEL] and a[S.REASON] == b[S.REASON] and a[S.SOURCE] == b[S.SOURCE] and
    a[S.ATTEMPT] == b[S.ATTEMPT] and a[S.DROP] == b[S.DROP]
end

-- Redis wants text; most deltas are small, so their texts are made once.
local texts = {}
local function text_of(n)
  local text = texts[n]
  if not text then
    text = string.format('%.0f', n)
    if n > -100 and n < 100 then
      texts[n] = text
    end
  end
  return text
end

-- What is zero is not kept.
local function write(prefix, index, all, pattern, expire)
  for name, counts in pairs(all) do
    local key, changed, moved = run.shard .. prefix .. name, false, {}
    for field, delta in pairs(counts) do
      if delta ~= 0 then
        local value = call('HINCRBY', key, field, text_of(delta))
        if value == 0 then
          call('HDEL', key, field)
        end
        reasons.note(moved, pattern, field, delta, value)
        changed = true
      end
    end
    reasons.write(key, moved)
    if changed then
      call('ZADD', run.shard .. index, run.now, name)
      expire(key, name, counts)
    end
  end
end

return {
  add = add, count_call = count_call, bucket = bucket, count_attempt = count_attempt, place_of = place_of,
  same_place = same_place, write = write, text_of = text_of, WINDOW_KEEP_MS = WINDOW_KEEP_MS,
}
