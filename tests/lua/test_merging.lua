-- Evidence in any order and any number of times ends alike (lib/merging.lua).
local layout = require('layout')
local merging = require('merging')
local calls = require('calls')
local A, HOP, S, STATUS = layout.A, layout.HOP, layout.S, layout.STATUS
local equal = calls.equal
local tests = {}

local function apply(c, e)
  local status = math.max(e[layout.E.STATUS], STATUS.PENDING)
  merging.merge(c, e, status, true, false)
  merging.merge_hops(c, e, status, true)
  c.a[A.RING] = merging.ring_of(c.a)
  merging.merge_status(c)
end

local function hop_times(c)
  local times = {}
  for i = A.HOPS, A.HOPS + 14, 3 do
    times[#times + 1] = c.a[i] .. '/' .. c.a[i + 2]
  end
  return table.concat(times, ' ')
end

local function summary(c)
  local values = {}
  for i = 1, A.RING_GIVEN do
    values[i] = tostring(c.a[i])
  end
  return table.concat(values, ',') .. ' ' .. hop_times(c) .. ' ' .. c.s[S.STATUS] .. c.s[S.REASON]
end

local REPORTS = {
  {HOPS = 2, AT = calls.NOW + 1000, ID = 'CA2'},
  {STATUS = STATUS.COMPLETED, HOPS = 4, AT = calls.NOW + 9000, ANSWERED = calls.NOW + 8000},
  {STATUS = STATUS.COMPLETED, TERMINAL = 1, HOPS = 8, AT = calls.NOW + 20000, TALK = 11, COST = 4000,
    CURRENCY = 'USD'},
  {STATUS = STATUS.COMPLETED, TERMINAL = 1, HOPS = 16, AT = calls.NOW + 21000, COST = 4000, CURRENCY = 'EUR',
    ID = 'CA1'},
  {STATUS = STATUS.FAILED, TERMINAL = 1, KIND = 1, CODE = '480', DETAIL = 'silence', HOPS = 8, AT = calls.NOW + 19000},
}

-- Calls fn with every order of the numbers 1 to n.
local function each_order(n, fn, order)
  order = order or {}
  if #order == n then
    return fn(order)
  end
  for i = 1, n do
    local taken = false
    for _, other in ipairs(order) do
      taken = taken or other == i
    end
    if not taken then
      order[#order + 1] = i
      each_order(n, fn, order)
      order[#order] = nil
    end
  end
end

function tests.reports_in_any_order_and_twice_end_alike()
  local expected
  each_order(#REPORTS, function(order)
    calls.begin()
    local c = calls.call()
    for _, i in ipairs(order) do
      apply(c, calls.evidence(REPORTS[i]))
      apply(c, calls.evidence(REPORTS[order[1]]))
    end
    expected = expected or summary(c)
    equal(summary(c), expected)
  end)
end

function tests.a_status_is_the_maximum_of_its_evidence()
  calls.begin()
  local c = calls.call()
  for _, status in ipairs({4, 7, 2, 3, 6}) do
    apply(c, calls.evidence({STATUS = status}))
  end
  equal(c.a[A.STATUS], STATUS.COMPLETED)
  equal(c.s[S.WON], 1)
end

function tests.of_equal_evidence_the_better_reason_stays()
  calls.begin()
  local c = calls.call()
  local reasons = {{KIND = 1, CODE = 'b'}, {KIND = 2, CODE = 'z'}, {KIND = 2, CODE = 'y', DETAIL = 'words'},
    {KIND = 1, CODE = 'a'}}
  for _, reason in ipairs(reasons) do
    reason.STATUS = STATUS.FAILED
    apply(c, calls.evidence(reason))
  end
  equal(c.a[A.CODE], 'y')
  equal(c.a[A.DETAIL], 'words')
  apply(c, calls.evidence({STATUS = STATUS.FAILED, KIND = 9}))
  equal(c.a[A.CODE], 'y', 'a reason without words')
end

function tests.a_report_proves_message_out_and_completed_proves_connected()
  calls.begin()
  local c = calls.call()
  local new = merging.merge_hops(c, calls.evidence({HOPS = 2, AT = calls.NOW}), STATUS.PENDING, true)
  equal(new, 2 ^ HOP.DIALING + 2 ^ HOP.MESSAGE_OUT)
  equal(merging.merge_hops(c, calls.evidence({HOPS = 2, AT = calls.NOW}), STATUS.PENDING, true), 0, 'the same again')
  equal(merging.merge_hops(c, calls.evidence({ANSWERED = calls.NOW + 5}), STATUS.COMPLETED, true), 2 ^ HOP.CONNECTED)
  equal(c.a[A.HOPS + 3 * HOP.CONNECTED], calls.NOW + 5)
end

function tests.it_rang_from_dialing_to_the_answer_or_the_end()
  calls.begin()
  local function ring(a)
    a.TERMINAL = a.TERMINAL or 1
    local array = calls.attempt(a)
    array[A.HOPS + 3 * HOP.DIALING] = calls.NOW
    array[A.HOPS + 3 * HOP.CONNECTED] = calls.NOW + 7000
    array[A.HOPS + 3 * HOP.TERMINATE] = calls.NOW + 31000
    return merging.ring_of(array)
  end
  equal(ring({STATUS = 4}), 31)
  equal(ring({STATUS = STATUS.COMPLETED}), 7)
  equal(ring({STATUS = STATUS.COMPLETED, ANSWERED = calls.NOW + 5000}), 5)
  equal(ring({STATUS = 4, RING_GIVEN = 12}), 12, "the provider's word")
  equal(ring({STATUS = 4, TERMINAL = 0}), -1, 'not over')
end

function tests.least_is_the_least_text_that_is_one()
  equal(merging.least('', 'b'), 'b')
  equal(merging.least('b', ''), 'b')
  equal(merging.least('b', 'a'), 'a')
  equal(merging.least('a', 'b'), 'a')
end

return tests
