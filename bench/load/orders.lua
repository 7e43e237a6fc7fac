-- Concurrent orders: everybody wants one of the same few products, until they are gone.
-- Argument: how many products there are.
dofile("bench/load/common.lua")

function init(arguments)
    seed()
    products = tonumber(arguments[1])
end

function request()
    return order("p" .. math.random(1, products))
end
