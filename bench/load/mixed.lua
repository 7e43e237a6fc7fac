-- Mixed load: 60 % look at a product, 15 % list a category, 10 % ask for stock, 15 % order.
dofile("bench/load/common.lua")

function init(arguments)
    seed()
end

function request()
    local dice = math.random(1, 100)
    if dice <= 60 then
        return wrk.format("GET", "/v1/products/p" .. popular(10000))
    elseif dice <= 75 then
        return wrk.format("GET", "/v1/products?limit=20&category=c" .. math.random(0, 9))
    elseif dice <= 85 then
        return wrk.format("GET", "/v1/products/p" .. popular(10000) .. "/stock")
    end
    return order("p" .. popular(10000))
end
