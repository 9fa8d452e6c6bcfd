-- ARGV: now or ''. Gives now, the hash's fields as they are, and requests in flight and places in line with their times.
local now, b = now_from(ARGV[1]), load()
local counted = redis.call('HMGET', KEYS[1], 'granted', 'waits_pace', 'waits_window', 'waits_in_flight', 'waits_blocked')
local numbers = {now}
for _, field in ipairs(FIELDS) do numbers[#numbers + 1] = b[field] end
for at = 1, 5 do numbers[#numbers + 1] = tonumber(counted[at] or '0') end
local function all(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
return {numbers, all(KEYS[2]), all(KEYS[3])}
