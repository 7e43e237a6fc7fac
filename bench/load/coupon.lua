-- Coupon spike: everybody wants one of a campaign's few coupons; every tenth asks a second time.
dofile("bench/load/common.lua")

function init(arguments)
    seed()
end

function request()
    made = made + 1
    local customer = (thread_number + 1) * 1000000000 + made - (made % 10 == 0 and 1 or 0)
    return wrk.format("POST", "/v1/campaigns/1/claims", {["Content-Type"] = "application/json"},
        string.format('{"customer":"%d"}', customer))
end
