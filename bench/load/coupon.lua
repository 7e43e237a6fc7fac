-- Coupon spike: everybody wants one of a campaign's few coupons; every tenth asks a second time.
-- Arguments: the connections of each thread, and the milliseconds within which they come, in turn.
dofile("bench/load/common.lua")

function init(arguments)
    seed()
    connections, ramp_ms, joined = tonumber(arguments[1]), tonumber(arguments[2]), 0
end

-- wrk asks before each request; the first time for each connection, one after the other.
function delay()
    joined = joined + 1
    return joined <= connections and math.floor(ramp_ms * joined / connections) or 0
end

function request()
    made = made + 1
    local customer = (thread_number + 1) * 1000000000 + made - (made % 10 == 0 and 1 or 0)
    return wrk.format("POST", "/v1/campaigns/1/claims", {["Content-Type"] = "application/json"},
        string.format('{"customer":"%d"}', customer))
end
