-- Work for the scoreboard's row "lua": tables, closures, strings, metatables, floating point; prints sums.

local scale = tonumber(arg[1])

local state = 2026
local function random(limit)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % limit
end

-- A heap of tables, ordered by a field.
local Heap = {}
Heap.__index = Heap

function Heap.new() return setmetatable({ size = 0 }, Heap) end

function Heap:push(item)
    self.size = self.size + 1
    local i = self.size
    while i > 1 and self[i // 2].key > item.key do
        self[i] = self[i // 2]
        i = i // 2
    end
    self[i] = item
end

function Heap:pop()
    local top, last = self[1], self[self.size]
    self[self.size] = nil
    self.size = self.size - 1
    local i = 1
    while 2 * i <= self.size do
        local child = 2 * i
        if child < self.size and self[child + 1].key < self[child].key then child = child + 1 end
        if last.key <= self[child].key then break end
        self[i] = self[child]
        i = child
    end
    if self.size > 0 then self[i] = last end
    return top
end

local function heap(count)
    local h, sum = Heap.new(), 0
    for i = 1, count do h:push({ key = random(1000000) * 10 + i % 10 }) end
    for i = 1, count do sum = (sum * 31 + h:pop().key) % 1000000007 end
    return sum
end

local function strings(count)
    local parts, counts = {}, {}
    for i = 1, count do parts[i] = string.format("%x", random(4096)) end
    for word in table.concat(parts, " "):gmatch("%x+") do
        local key = word:reverse():upper()
        counts[key] = (counts[key] or 0) + 1
    end
    local keys, sum = {}, 0
    for key in pairs(counts) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do sum = (sum * 7 + i * counts[key] + #key) % 1000000007 end
    return sum
end

local function relax(size, steps)
    local a = {}
    for i = 1, size do a[i] = math.sin(i) end
    for _ = 1, steps do
        for i = 2, size - 1 do a[i] = 0.25 * a[i - 1] + 0.5 * a[i] + 0.25 * a[i + 1] end
    end
    local sum = 0.0
    for i = 1, size do sum = sum + a[i] * i end
    return sum
end

print(heap(4000 * scale), strings(6000 * scale), string.format("%.17g", relax(1000, 30 * scale)))
