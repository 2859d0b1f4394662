-- Merging evidence into an attempt, and the attempt into its call. Nothing here reads or writes Redis.
--
-- A status is the maximum of its evidence, and every other field merges commutatively: the same evidence, in any order
-- and any number of times, ends alike.
local layout = require('layout')
local hops = require('hops')
local run = require('run')
local A, E, HOP, HOP_BIT, S, STATUS = layout.A, layout.E, layout.HOP, layout.HOP_BIT, layout.S, layout.STATUS
local floor, band, lshift = math.floor, bit.band, bit.lshift

local function least(a, b)
  if a == '' or (b ~= '' and b < a) then
    return b
  end
  return a
end

local function merge_reason(a, status, kind, code, detail)
  local better = status > a[A.STATUS]
  if status == a[A.STATUS] and (code ~= '' or detail ~= '') then
    local none = a[A.CODE] == '' and a[A.DETAIL] == ''
    better = none or kind > a[A.KIND] or
      (kind == a[A.KIND] and (code < a[A.CODE] or (code == a[A.CODE] and detail < a[A.DETAIL])))
  end
  if better then
    a[A.KIND], a[A.CODE], a[A.DETAIL] = kind, code, detail
  end
end

local function merge_cost(a, cost, currency)
  if cost > a[A.COST] then
    a[A.COST], a[A.CURRENCY] = cost, currency
  elseif cost >= 0 and cost == a[A.COST] then
    a[A.CURRENCY] = least(a[A.CURRENCY], currency)
  end
end

local function merge_id(c, id, response)
  local a = c.a
  if response then
    c.dirty = c.dirty or a[A.ID_SURE] == 0
    a[A.ID], a[A.ID_SURE] = a[A.ID_SURE] == 1 and least(a[A.ID], id) or id, 1
  elseif a[A.ID_SURE] == 0 then
    a[A.ID] = least(a[A.ID], id)
  end
end

-- Adds a hop with the provider's time (0: implied by another one). Its bit when it was not there, else 0.
local function merge_hop(c, hop, at, detail)
  local a, i = c.a, A.HOPS + 3 * hop
  if at > 0 and (a[i] == 0 or at < a[i]) then
    a[i] = at
    c.dirty = true
  end
  if detail ~= '' and (a[i + 2] == '' or detail < a[i + 2]) then
    a[i + 2] = detail
    c.dirty = true
  end
  if a[i + 1] > 0 then
    return 0
  end
  a[i + 1] = run.now > c.s[S.UPDATED] and run.now or c.s[S.UPDATED]
  return lshift(1, hop)
end

-- Adds the evidence's hops and those that it implies: any report proves message_out, Completed proves connected.
-- Returns the set of those that are new.
local function merge_hops(c, e, status, reported)
  local said, new = e[E.HOPS], 0
  for _, hop in ipairs(hops.within(said)) do
    new = new + merge_hop(c, hop, e[E.AT], e[E.HOP_DETAIL])
  end
  if reported and said % 2 == 0 then
    new = new + merge_hop(c, HOP.MESSAGE_OUT, 0, '')
  end
  if status == STATUS.COMPLETED and band(said, HOP_BIT.CONNECTED) == 0 then
    new = new + merge_hop(c, HOP.CONNECTED, e[E.ANSWERED], '')
  end
  return new
end

-- How long it rang: the provider's word, else the time between dialing and the answer or the end. Derived once the
-- attempt is over, so that refined times of its hops do not make a change each.
local function ring_of(a)
  if a[A.RING_GIVEN] >= 0 or a[A.TERMINAL] == 0 then
    return a[A.RING_GIVEN]
  end
  local from = a[A.HOPS + 3 * HOP.DIALING]
  local to = a[A.HOPS + 3 * HOP.TERMINATE]
  if a[A.STATUS] == STATUS.COMPLETED then
    to = a[A.ANSWERED] > 0 and a[A.ANSWERED] or a[A.HOPS + 3 * HOP.CONNECTED]
  end
  if from == 0 or to == 0 or to < from then
    return -1
  end
  return floor((to - from) / 1000)
end

-- Merges everything but hops; c.dirty tells that something is new.
local function merge(c, e, status, reported, response)
  local a = c.a
  merge_reason(a, status, e[E.KIND], e[E.CODE], e[E.DETAIL])
  if status > a[A.STATUS] then
    a[A.STATUS] = status
  end
  if e[E.TERMINAL] > a[A.TERMINAL] then
    a[A.TERMINAL], c.dirty = e[E.TERMINAL], true
  end
  if reported and (a[A.REPORTED] == 0 or a[A.UNREACHED] == 1) then
    a[A.REPORTED], a[A.UNREACHED], c.dirty = 1, 0, true
  end
  if e[E.PERMANENT] > a[A.PERMANENT] then
    a[A.PERMANENT], c.dirty = 1, true
  end
  if e[E.RING] > a[A.RING_GIVEN] then
    a[A.RING_GIVEN], c.dirty = e[E.RING], true
  end
  if e[E.TALK] > a[A.TALK] then
    a[A.TALK] = e[E.TALK]
  end
  if e[E.COST] >= 0 then
    merge_cost(a, e[E.COST], e[E.CURRENCY])
  end
  if e[E.ID] ~= '' then
    merge_id(c, e[E.ID], response)
  end
  if e[E.ANSWERED] > 0 and (a[A.ANSWERED] == 0 or e[E.ANSWERED] < a[A.ANSWERED]) then
    a[A.ANSWERED], c.dirty = e[E.ANSWERED], true
  end
end

-- The call's status: Completed when any attempt is, else that of the latest attempt with evidence.
local function merge_status(c)
  local s, a, n = c.s, c.a, c.n
  if a[A.STATUS] == STATUS.COMPLETED and (s[S.WON] == 0 or n <= s[S.WON]) then
    s[S.WON], s[S.STATUS], s[S.SOURCE], s[S.REASON], s[S.CHANNEL] = n, STATUS.COMPLETED, n, a[A.CODE], a[A.CHANNEL]
  elseif s[S.WON] == 0 and n >= s[S.SOURCE] then
    s[S.STATUS], s[S.SOURCE], s[S.REASON], s[S.CHANNEL] = a[A.STATUS], n, a[A.CODE], a[A.CHANNEL]
  end
end

return {least = least, merge_hops = merge_hops, ring_of = ring_of, merge = merge, merge_status = merge_status}
