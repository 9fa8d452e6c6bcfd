-- The state of a budget. The steps are those of helpsync-coordinator's budget.rs: change both together.
-- KEYS: 1 the hash, 2 the sorted set of requests in flight, 3 that of places in line.
-- Times are whole microseconds, below 2^53.
local FIELDS = {'limit', 'tat', 'window_end', 'remaining', 'opened', 'told', 'first', 'own', 'others', 'rounds_down',
  'blocked_until'}
local COUNT_MAX, LATE, PRIOR_PART, PRIOR_FADES = 1000000, 1000000, 6, 4
local function keep(number) return string.format('%.0f', number) end
local function now_from(arg)
  if arg ~= '' then return tonumber(arg) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local function length(window) return math.min(math.max(window, 1000000), 300000000) end
local function load()
  local b, values = {}, redis.call('HMGET', KEYS[1], unpack(FIELDS))
  for at, field in ipairs(FIELDS) do b[field] = tonumber(values[at] or '0') end
  return b
end
local function save(b)
  local pairs_ = {}
  for at, field in ipairs(FIELDS) do
    pairs_[2 * at - 1], pairs_[2 * at] = field, keep(b[field])
  end
  redis.call('HSET', KEYS[1], unpack(pairs_))
end
-- Requests of which no answer told.
local function spend(b, count)
  b.remaining = math.max(0, b.remaining - count)
  b.own = b.own + count
end
local function drop_lost(b, now)
  spend(b, redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', keep(now)))
end
local function others_in_a_window(b, now, window, flying)
  local seen_for = math.max(0, math.min(now, b.window_end) - b.opened)
  local taken = math.max(0, b.first - (b.remaining + b.own + flying))
  local prior = math.max(0, math.floor(window / PRIOR_PART) - math.floor(seen_for / PRIOR_FADES))
  return math.min(COUNT_MAX, math.floor((taken * window + b.others * prior) / math.max(1, seen_for + prior)))
end
-- Longer than the longest stop and the longest window.
local KEEP_MS = 7200000
