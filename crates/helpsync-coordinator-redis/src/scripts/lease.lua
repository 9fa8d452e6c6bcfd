-- KEYS: 1 the lease. ARGV: verb, holder, time to live (ms). Gives {1} done, {0} not the holder's, {2, holder, ms left} taken.
local verb, holder, ttl = ARGV[1], ARGV[2], ARGV[3]
local by = redis.call('GET', KEYS[1])
if verb == 'take' and (not by or by == holder) then
  redis.call('SET', KEYS[1], holder, 'PX', ttl)
  return {1}
end
if verb == 'take' then return {2, by, redis.call('PTTL', KEYS[1])} end
if by ~= holder then return {0} end
if verb == 'renew' then redis.call('PEXPIRE', KEYS[1], ttl) else redis.call('DEL', KEYS[1]) end
return {1}
