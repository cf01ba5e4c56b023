-- Ministreaming for Wireshark and tshark 3.6 and later, with the field and
-- finding names of ministream-dump: `ministream.type == "syn"` is a filter for
-- both. To install:
--
--   mkdir -p ~/.local/lib/wireshark/plugins
--   ministream-dump --generate wireshark-lua > ~/.local/lib/wireshark/plugins/ministream.lua
--
-- UDP and TCP are recognised by content, I2CP by TCP port 7654 or by its first
-- byte. Where content does not tell, "Decode As" does: `ministream` on a UDP port;
-- `ministream_u32be`, `ministream_u16be`, `ministream_segment` or `ministream_i2cp`
-- on a TCP port.
--
-- Wireshark asks for a packet as often as it likes, in any order. What depends on
-- the packets before is therefore found out when a packet comes for the first time,
-- in order, and remembered (see `recall`).
--
-- This file belongs to ministream and is under the same licence, MIT or Apache-2.0.

local MAX_PREFIXED_BYTES = 65536 -- longer messages are read as a bad length
local MAX_I2CP_BODY_BYTES = 65535
local MAX_INFLATED_BYTES = 65536
local MAX_MESSAGE_BYTES = 40960 -- what the reference implementation accepts
local MAX_DATA_PAYLOAD_BYTES = 32768 -- what it sends
local MIN_DESTINATION_BYTES = 387
local HANDSHAKE_LIMIT_S = 60
local LINGER_S = 30
local MAX_HELD_DATAGRAMS = 32
local CERTAIN_POINTS = 3

-- Names ------------------------------------------------------------------------

local ministream = Proto("ministream", "Ministreaming")
local carriers = {
    tcp_u32be = Proto("ministream_u32be", "Ministreaming after 4-byte lengths"),
    tcp_u16be = Proto("ministream_u16be", "Ministreaming after 2-byte lengths"),
    segment = Proto("ministream_segment", "Ministreaming, a message per segment"),
    i2cp = Proto("ministream_i2cp", "I2P Client Protocol"),
}

local LEVELS = { note = 1, warn = 2, error = 3 }

local field = {
    -- Here come the columns that src/columns/tables.rs has a title for.
}
ministream.fields = field

-- Level and meaning of each finding that can be told here.
local FINDINGS = {
    ["ms.too_short"] = { "error", "fewer than 4 bytes: no message" },
    ["ms.unknown_type"] = { "error", "type is not in the protocol" },
    ["ms.zero_id"] = { "error", "id 000000 is reserved" },
    ["ms.orphan_id"] = { "warn", "id never announced: late capture or sender bug" },
    ["ms.wrong_direction"] = { "error", "type belongs to the other peer" },
    ["ms.syn_bad_destination"] = { "note", "payload of SYN is not an I2P destination" },
    ["ms.id_reuse"] = { "warn", "id announced again while still in use" },
    ["ms.ack_bad_length"] = { "error", "ACK without a 3-byte server id" },
    ["ms.ack_empty"] = { "warn", "ACK without server id, read as close" },
    ["ms.ack_duplicate"] = { "warn", "conversation was acknowledged before" },
    ["ms.data_before_ack"] = { "note", "data came before the ACK" },
    ["ms.data_after_close"] = { "note", "message for a closed conversation" },
    ["ms.close_payload"] = { "note", "close carries a payload" },
    ["ms.oversize"] = { "warn", "more bytes than the reference implementation sends" },
    ["ms.ping"] = { "note", "ping call of the Java library; not answered" },
    ["ms.chaff"] = { "note", "chaff: ignored by the receiver" },
    ["tcp.bad_prefix"] = { "error", "length prefix that no message has" },
    ["i2cp.bad_frame"] = { "error", "I2CP frame that cannot be read" },
    ["i2cp.unreadable_payload"] = { "error", "I2CP payload is not readable gzip" },
}

local SEVERITIES = {
    note = expert.severity.NOTE,
    warn = expert.severity.WARN,
    error = expert.severity.ERROR,
}

local experts = {}
do
    local all = {}
    for code, about in pairs(FINDINGS) do
        experts[code] = ProtoExpert.new(
            "ministream." .. code, about[2], expert.group.PROTOCOL, SEVERITIES[about[1]])
        all[#all + 1] = experts[code]
    end
    ministream.experts = all
end

local TYPES = {
    [0xa0] = { name = "data", dir = "c2s" },
    [0xa1] = { name = "syn", dir = "c2s" },
    [0xa2] = { name = "close", dir = "c2s" },
    [0x50] = { name = "data", dir = "s2c" },
    [0x51] = { name = "ack", dir = "s2c" },
    [0x52] = { name = "close", dir = "s2c" },
    [0xff] = { name = "chaff" },
}

-- Types of a protocol that is not ours, by number; for the tree only.
local I2CP_TYPES = {
    [1] = "CreateSession", [2] = "ReconfigureSession", [3] = "DestroySession",
    [4] = "CreateLeaseSet", [5] = "SendMessage", [6] = "ReceiveMessageBegin",
    [7] = "ReceiveMessageEnd", [8] = "GetBandwidthLimits", [20] = "SessionStatus",
    [21] = "RequestLeaseSet", [22] = "MessageStatus", [23] = "BandwidthLimits",
    [29] = "ReportAbuse", [30] = "Disconnect", [31] = "MessagePayload", [32] = "GetDate",
    [33] = "SetDate", [34] = "DestLookup", [35] = "DestReply", [36] = "SendMessageExpires",
    [37] = "RequestVariableLeaseSet", [38] = "HostLookup", [39] = "HostReply",
    [41] = "CreateLeaseSet2",
}

-- What is remembered of a capture ------------------------------------------------

local flows -- by transport and both endpoints
local remembered -- by packet, what was found out in it, in order
local message_count, conversation_count, session_count

local function forget_capture()
    flows, remembered = {}, {}
    message_count, conversation_count, session_count = 0, 0, 0
end
forget_capture()
ministream.init = forget_capture

-- The place of the next thing to be remembered in this dissection of a packet.
local function next_place(pinfo)
    return tonumber(pinfo.private.ministream_place or "1")
end

-- What `compute` returned when this packet came for the first time.
local function recall(pinfo, compute)
    local place = next_place(pinfo)
    pinfo.private.ministream_place = tostring(place + 1)
    local of_packet = remembered[pinfo.number] or {}
    remembered[pinfo.number] = of_packet
    if not pinfo.visited then
        of_packet[place] = compute()
    end
    return of_packet[place] or {}
end

-- What the next `recall` will return, unless the packet is new.
local function foresee(pinfo)
    local of_packet = pinfo.visited and remembered[pinfo.number] or {}
    return of_packet[next_place(pinfo)] or {}
end

-- Bytes --------------------------------------------------------------------------

local function be16(bytes, at)
    local a, b = bytes:byte(at, at + 1)
    return a * 256 + b
end

local function be32(bytes, at)
    return be16(bytes, at) * 65536 + be16(bytes, at + 2)
end

local function le32(bytes, at)
    local a, b, c, d = bytes:byte(at, at + 3)
    return ((d * 256 + c) * 256 + b) * 256 + a
end

local function to_hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function is_text(bytes)
    return not bytes:find("[^ -~\r\n\t]")
end

local bxor = bit32 and bit32.bxor or bit and bit.bxor
    or load("return function(a, b) return a ~ b end")()

local CRC_TABLE = {}
for byte = 0, 255 do
    local value = byte
    for _ = 1, 8 do
        local half = math.floor(value / 2)
        value = value % 2 == 1 and bxor(half, 0xedb88320) % 4294967296 or half
    end
    CRC_TABLE[byte] = value
end

local function crc32(bytes)
    local crc = 0xffffffff
    for at = 1, #bytes do
        local index = bxor(crc % 256, bytes:byte(at)) % 256
        crc = bxor(CRC_TABLE[index], math.floor(crc / 256)) % 4294967296
    end
    return bxor(crc, 0xffffffff) % 4294967296
end

-- Length of the destination that `bytes` begins with, if it is whole.
local function destination_bytes(bytes)
    if #bytes < MIN_DESTINATION_BYTES then
        return nil
    end
    local length = MIN_DESTINATION_BYTES + be16(bytes, MIN_DESTINATION_BYTES - 1)
    return length <= #bytes and length or nil
end

-- Whether a message of `length` bytes that begins with `known` may be ours.
local function looks_like_message(known, length)
    local first = known:byte(1)
    if not first then
        return false
    end
    if length == 1 then
        return first == 0xff
    end
    if length < 4 or length > MAX_MESSAGE_BYTES then
        return false
    end
    local payload_bytes = length - 4
    if first == 0xa1 then
        if #known >= length then
            return destination_bytes(known:sub(5, length)) ~= nil
        end
        return payload_bytes >= MIN_DESTINATION_BYTES
    elseif first == 0x51 or first == 0x52 then
        return payload_bytes == 0 or payload_bytes == 3
    elseif first == 0xa2 then
        return payload_bytes == 0
    end
    return TYPES[first] ~= nil
end

-- Conversations --------------------------------------------------------------------
-- The same rules as in ministream-dump: an id belongs to the side that chose it, and
-- means something only on its channel (a UDP flow, a TCP connection, an I2CP session).

local function new_channel(carrier, start, session)
    return { carrier = carrier, start = start, session = session, dialled = {}, ids = {} }
end

local function id_key(side, space, id)
    return side .. space .. id
end

-- Conversations that an id stands for, oldest first, without those long over.
local function conversations_of(channel, key, time)
    local listed = channel.ids[key] or {}
    for at = #listed, 1, -1 do
        local conv = listed[at]
        if conv.state == "syn_sent" and time - conv.start >= HANDSHAKE_LIMIT_S then
            conv.state, conv.over_since = "no_answer", conv.start + HANDSHAKE_LIMIT_S
        end
        local over = conv.over_since and conv.state ~= "open"
        if conv.forgotten or over and time - conv.over_since >= LINGER_S then
            table.remove(listed, at)
        end
    end
    return listed
end

local function register(channel, key, conv)
    local listed = channel.ids[key] or {}
    channel.ids[key] = listed
    for _, other in ipairs(listed) do
        if other == conv then
            return
        end
    end
    listed[#listed + 1] = conv
end

local function new_conversation(seen, client_side)
    conversation_count = conversation_count + 1
    return { name = "c" .. conversation_count, client_side = client_side, start = seen.time }
end

local function is_closed(conv)
    return conv.state == "refused" or conv.state == "client_closed"
        or conv.state == "server_closed"
end

local function other_peer(addressee, far)
    return addressee and far and addressee ~= far
end

local function find(record, code, level)
    table.insert(record.findings, { code = code, level = level or FINDINGS[code][1] })
end

local function place_syn(seen, record)
    local channel, message = seen.channel, seen.message
    local payload = message:sub(5)
    local length = destination_bytes(payload)
    local destination = length and payload:sub(1, length)
    local key = id_key(seen.side, "c", record.id)
    local in_use
    for _, other in ipairs(conversations_of(channel, key, seen.time)) do
        local same = not (other.destination and destination)
            or other.destination == destination
        in_use = in_use or same and other
    end
    local conv = new_conversation(seen, seen.side)
    conv.state, conv.syn_seen, conv.client_id = "syn_sent", true, record.id
    conv.destination = destination
    if seen.side == 1 then
        conv.far = seen.addressee
    else
        conv.far = channel.session and destination
    end
    channel.dialled[seen.side] = true
    register(channel, key, conv)
    if not destination and not seen.cut then
        -- Only I2CP asks for a destination: the answer goes there.
        find(record, "ms.syn_bad_destination", channel.carrier == "i2cp" and "error")
    end
    if in_use and (is_closed(in_use) or in_use.state == "no_answer") then
        in_use.forgotten = true
    elseif in_use then
        find(record, "ms.id_reuse")
    end
    record.conv, record.meaning = conv, "opens"
end

-- What a message does in a state: the next state, its effect, and a finding.
local function step(conv, stimulus, dir)
    local state, server = conv.state, dir == "s2c"
    if state == "syn_sent" or state == "no_answer" then
        if stimulus == "ack" then
            return "open", "accepts"
        elseif stimulus == "data" then
            return state, "carries", "ms.data_before_ack"
        elseif stimulus == "close" then
            return server and "refused" or "client_closed", server and "refuses" or "closes"
        end
        return state, "ignored", "ms.ack_bad_length"
    elseif state == "open" then
        if stimulus == "ack" then
            return "open", "ignored", "ms.ack_duplicate"
        elseif stimulus == "empty_ack" then
            return "server_closed", "closes", "ms.ack_empty"
        elseif stimulus == "data" then
            return "open", "carries"
        elseif stimulus == "close" then
            return server and "server_closed" or "client_closed", "closes"
        end
        return "open", "ignored", "ms.ack_bad_length"
    end
    if state == "server_closed" and conv.taken_as_close then
        if stimulus == "data" then
            return "open", "carries"
        elseif stimulus == "close" and server then
            return state, "closes"
        end
    end
    -- What was on its way when the other side closed is normal; a side that goes
    -- on after its own close is at fault.
    local crossed = state == "client_closed" and server or state == "server_closed" and not server
    if stimulus == "data" or stimulus == "close" then
        if crossed and stimulus == "close" then
            return state, "closes_again"
        end
        return state, "ignored", "ms.data_after_close", crossed and "note" or "warn"
    elseif stimulus == "ack" then
        return state, "ignored",
            state == "refused" and "ms.data_after_close" or "ms.ack_duplicate"
    end
    return state, "ignored", "ms.ack_bad_length"
end

local function lookup(seen, space, id, stimulus)
    local key = id_key(3 - seen.side, space, id)
    local best, best_rank
    for _, conv in ipairs(conversations_of(seen.channel, key, seen.time)) do
        if not other_peer(seen.addressee, conv.far) then
            local waits = conv.state == "syn_sent" or conv.state == "no_answer"
            local rank = stimulus == "ack" and waits and 0
                or conv.state == "open" and 1
                or waits and 2
                or 3
            if not best or rank < best_rank or rank == 3 and best_rank == 3 then
                best, best_rank = conv, rank
            end
        end
    end
    return best
end

-- The conversation whose server id an ACK announces only after it was used: of a
-- connection that began before the capture.
local function lookup_announced(seen, stimulus)
    if stimulus ~= "ack" then
        return nil
    end
    local key = id_key(seen.side, "s", to_hex(seen.message:sub(5, 7)))
    local found, count = nil, 0
    for _, conv in ipairs(conversations_of(seen.channel, key, seen.time)) do
        if not conv.client_id and not other_peer(seen.addressee, conv.far) then
            found, count = found or conv, count + 1
        end
    end
    return count == 1 and found or nil
end

-- The conversation that an id names when the type is the other peer's.
local function lookup_misdirected(seen, space, id)
    local other_space = space == "c" and "s" or "c"
    for _, key in ipairs({ id_key(3 - seen.side, other_space, id), id_key(seen.side, space, id) }) do
        local listed = conversations_of(seen.channel, key, seen.time)
        if #listed > 0 then
            return listed[#listed]
        end
    end
    return nil
end

local function adopt(seen, dir, space, id)
    local conv = new_conversation(seen, dir == "c2s" and seen.side or 3 - seen.side)
    conv.state, conv.far = "open", seen.addressee
    conv[space == "c" and "client_id" or "server_id"] = id
    register(seen.channel, id_key(3 - seen.side, space, id), conv)
    return conv
end

local function register_server_id(seen, record, conv)
    local channel, server_id = seen.channel, record.server_id
    if server_id == "000000" then
        find(record, "ms.zero_id")
    end
    local key = id_key(seen.side, "s", server_id)
    local in_use
    for _, other in ipairs(conversations_of(channel, key, seen.time)) do
        if other == conv then
            return
        end
        -- Behind a router, two peers of one session may choose the same id.
        if seen.side == 1 or other.far == conv.far then
            in_use = in_use or other
        end
    end
    if in_use and (is_closed(in_use) or not in_use.client_id) then
        in_use.forgotten = true
    elseif in_use then
        find(record, "ms.id_reuse")
    end
    register(channel, key, conv)
end

local function advance(seen, record, conv, stimulus)
    local next_state, effect, code, level = step(conv, stimulus, record.dir)
    if stimulus == "ack" and not conv.syn_seen and not (conv.client_id and conv.server_id) then
        conv.acked_after_close = is_closed(conv)
        effect, code = "accepts", nil
    elseif conv.acked_after_close and stimulus == "data" and record.dir == "s2c" then
        effect, code = "carries", nil
    end
    conv.state = next_state
    if effect == "closes" and stimulus == "empty_ack" then
        conv.taken_as_close = true
    elseif effect == "closes" or effect == "carries" then
        conv.taken_as_close = false
    end
    record.conv, record.meaning = conv, effect
    if code then
        find(record, code, level)
    end
    local payload_bytes = #seen.message - 4
    if stimulus == "close" and payload_bytes > 0 then
        local refusal = effect == "refuses" and payload_bytes == 3
        find(record, "ms.close_payload", refusal and "note" or "warn")
    end
    if effect == "accepts" then
        conv.server_id = record.server_id
        if not conv.client_id then
            conv.client_id, conv.far = record.id, conv.far or seen.addressee
            register(seen.channel, id_key(3 - seen.side, "c", record.id), conv)
        end
        register_server_id(seen, record, conv)
    elseif effect == "refuses" or effect == "closes" then
        conv.over_since = seen.time
    end
end

-- Whether an id that nobody announced may have been announced unseen, and whether
-- that is known to be so.
local function missed_ids(channel)
    local known = channel.gaps or channel.start == "missed"
    local fresh = channel.start == "unknown" and not (channel.dialled[1] or channel.dialled[2])
    return known or fresh, known
end

local function place_within(seen, record)
    local stimulus = record.type
    local payload_bytes = #seen.message - 4
    if stimulus == "ack" and payload_bytes ~= 3 then
        stimulus = payload_bytes == 0 and "empty_ack" or "misshapen_ack"
    end
    local space = record.dir == "c2s" and "s" or "c"
    local conv = lookup(seen, space, record.id, stimulus) or lookup_announced(seen, stimulus)
    if not conv then
        local misdirected = lookup_misdirected(seen, space, record.id)
        if misdirected then
            find(record, "ms.wrong_direction")
            record.conv, record.meaning = misdirected, "ignored"
            return
        end
        local may_have_missed, has_missed = missed_ids(seen.channel)
        if stimulus ~= "ack" and not has_missed then
            find(record, "ms.orphan_id")
        end
        if stimulus ~= "ack" and not may_have_missed then
            record.meaning = "orphan"
            return
        end
        conv = adopt(seen, record.dir, space, record.id)
    end
    advance(seen, record, conv, stimulus)
end

local function place_unknown(seen, record)
    find(record, "ms.unknown_type")
    record.meaning = "meaningless"
    local spaces = record.dir == "c2s" and { "s" } or record.dir == "s2c" and { "c" } or { "s", "c" }
    for _, space in ipairs(spaces) do
        local key = id_key(3 - seen.side, space, record.id)
        local listed = conversations_of(seen.channel, key, seen.time)
        if #listed > 0 then
            record.conv = listed[#listed]
            return
        end
    end
end

-- The direction of what says nothing itself.
local function direction_of(seen, record)
    if record.conv then
        return record.conv.client_side == seen.side and "c2s" or "s2c"
    end
    local mine, theirs = seen.channel.dialled[seen.side], seen.channel.dialled[3 - seen.side]
    if mine and not theirs then
        return "c2s"
    elseif theirs and not mine then
        return "s2c"
    end
    return nil
end

local function read_frame(seen, record)
    local message = seen.message
    local byte = message:byte(1)
    local known = TYPES[byte]
    record.type = known and known.name or "unknown"
    record.id = to_hex(message:sub(2, 4))
    record.dir = known and known.dir
        or byte >= 0xa0 and byte <= 0xaf and "c2s"
        or byte >= 0x50 and byte <= 0x5f and "s2c"
        or nil
    if byte == 0xa1 then
        record.id_owner = "client"
    elseif record.dir then
        record.id_owner = record.dir == "c2s" and "server" or "client"
    end
    if record.type == "ack" and #message == 7 then
        record.server_id = to_hex(message:sub(5, 7))
    end
    local is_large = record.type == "data" and #message - 4 > MAX_DATA_PAYLOAD_BYTES
    if is_large or #message > MAX_MESSAGE_BYTES then
        find(record, "ms.oversize")
    end
    if record.type == "chaff" then
        find(record, "ms.chaff")
        record.meaning = "idle"
    elseif record.type == "unknown" then
        place_unknown(seen, record)
    else
        if record.id == "000000" then
            find(record, "ms.zero_id")
        end
        if record.type == "syn" then
            place_syn(seen, record)
        else
            place_within(seen, record)
        end
    end
end

-- Finds out what a message means. `seen` has its channel, side (1 or 2), message,
-- time in seconds, whether a snap length cut it, and on I2CP its addressee.
local function observe(seen)
    message_count = message_count + 1
    local record = { n = message_count, findings = {}, channel = seen.channel }
    local message = seen.message
    if #message >= 4 then
        read_frame(seen, record)
    elseif message == "\255" then
        record.type, record.meaning = "ping", "idle"
        find(record, "ms.ping")
    else
        record.type, record.meaning = "short", "meaningless"
        if not seen.cut then
            find(record, "ms.too_short")
        end
    end
    record.dir = record.dir or direction_of(seen, record)
    record.conv_name = record.conv and record.conv.name
    record.conv = nil
    return record
end

-- What is shown ----------------------------------------------------------------------

local function endpoint(address, port)
    local text = tostring(address)
    if text:find(":", 1, true) then
        text = "[" .. text .. "]"
    end
    return text .. ":" .. port
end

local function say(pinfo, name, text)
    pinfo.cols.protocol = name
    if pinfo.private.ministream_said then
        pinfo.cols.info:append("; " .. text)
    else
        pinfo.cols.info = text
    end
    pinfo.private.ministream_said = "yes"
end

local function add_findings(tree, record)
    local level = 0
    for _, finding in ipairs(record.findings) do
        tree:add(field.findings, finding.code):set_generated()
        tree:add_proto_expert_info(experts[finding.code])
        level = math.max(level, LEVELS[finding.level])
    end
    if level > 0 then
        tree:add(field.level, level):set_generated()
    end
end

-- Adds a message to the tree. `range` is where its bytes are, `message` the bytes;
-- an empty message on I2CP is nowhere and has the range of its wrapper.
local function show(tree, pinfo, range, message, record)
    if not record.n then
        return
    end
    local title = record.type:upper()
    if record.id then
        title = title .. " " .. record.id
    end
    local payload_bytes = math.max(#message - 4, 0)
    local item = tree:add(ministream, range, "Ministreaming " .. title)
    local function generated(name, value)
        if value then
            item:add(field[name], value):set_generated()
        end
    end
    generated("type", record.type)
    if #message > 0 then
        item:add(field.type_byte, range(0, 1))
    end
    if record.id then
        item:add(field.id, range(1, 3), record.id)
    end
    generated("id_owner", record.id_owner)
    if record.server_id then
        item:add(field.server_id, range(4, 3), record.server_id)
    end
    generated("payload_bytes", payload_bytes)
    if payload_bytes > 0 then
        item:add(field.payload, range(4, payload_bytes))
    end
    generated("dir", record.dir)
    generated("conv", record.conv_name)
    generated("meaning", record.meaning)
    generated("n", record.n)
    generated("packet_n", pinfo.number)
    generated("t_us", Int64.new(math.floor(math.floor(pinfo.rel_ts * 1000000000 + 0.5) / 1000)))
    generated("carrier", record.channel.carrier)
    generated("src", endpoint(pinfo.src, pinfo.src_port))
    generated("dst", endpoint(pinfo.dst, pinfo.dst_port))
    local session = record.channel.session
    if session then
        generated("session", session.number)
        generated("session_name", session.name)
    end
    add_findings(item, record)
    local text = ("%s, %d B%s"):format(
        title, payload_bytes, record.conv_name and ", " .. record.conv_name or "")
    say(pinfo, "MINISTREAM", text)
end

-- Remembers and shows that bytes cannot be read as messages.
local function skip(tree, pinfo, proto, range, code)
    recall(pinfo, function() return { skips = true, code = code } end)
    local item = tree:add(proto, range, "Bytes that are no message")
    if code then
        item:add_proto_expert_info(experts[code])
    end
    say(pinfo, "MINISTREAM", range:len() .. " bytes that are no message")
end

-- Flows --------------------------------------------------------------------------------

-- The flow of a packet, and which side (1 the first that was seen, 2) sent it.
-- Wireshark's own `tcp.stream` would tell apart connections that use the same ports one
-- after the other, but it has no value when a packet comes for the first time.
local function flow_of(pinfo, transport)
    local source = endpoint(pinfo.src, pinfo.src_port)
    local target = endpoint(pinfo.dst, pinfo.dst_port)
    local answered = flows[transport .. target .. " " .. source]
    if answered and source ~= target then
        return answered, 2
    end
    local key = transport .. source .. " " .. target
    flows[key] = flows[key] or { lost = {}, sessions = {} }
    return flows[key], 1
end

local function capture_time(pinfo)
    return pinfo.rel_ts
end

-- UDP ----------------------------------------------------------------------------------
-- Datagrams are held until it is known whether the flow is ours; what speaks for it is
-- counted in points, as ministream-dump counts them.

local function points_for_datagram(flow, side, known, length)
    if length == 1 or looks_like_message(known:sub(1, 1), 1) then
        return 0
    end
    local head = known:sub(1, 4)
    local points = 0
    if #known == length and not looks_like_message(known, length - 1) then
        if length >= 8 then
            points = CERTAIN_POINTS
        elseif not is_text(known) then
            points = length >= 5 and 2 or 1
        end
    end
    local repeats, is_new = false, true
    for _, old in ipairs(flow.held) do
        if old.fits and old.side == side and #old.message >= 4 then
            repeats = repeats or old.message:sub(2, 4) == known:sub(2, 4)
            is_new = is_new and old.message ~= known
        end
    end
    return points + (repeats and is_new and not is_text(head) and 1 or 0)
end

-- "ours" and "foreign" once it is certain; "probable" or "open" before.
local function weigh_datagram(flow, side, known, length)
    local held = { side = side, message = known, fits = looks_like_message(known, length) }
    if held.fits then
        flow.points = flow.points + points_for_datagram(flow, side, known, length)
        flow.fitting = flow.fitting + 1
    else
        flow.unfitting = flow.unfitting + 1
    end
    table.insert(flow.held, held)
    if flow.unfitting > flow.points + 2 then
        return "foreign", held
    elseif flow.unfitting < flow.fitting and flow.points >= CERTAIN_POINTS then
        return "ours", held
    elseif flow.unfitting < flow.fitting and flow.points >= 2 then
        return "probable", held
    end
    return "open", held
end

-- Gives the datagrams that were held their meaning, in order.
local function decide_datagrams(flow, verdict)
    flow.verdict = verdict
    if verdict == "ours" then
        flow.channel = new_channel("udp", "unknown")
        for _, held in ipairs(flow.held) do
            held.channel = flow.channel
            remembered[held.packet] = { observe(held) }
        end
    end
    flow.held = nil
end

local function hold_datagram(flow, side, tvb, pinfo)
    flow.held = flow.held or {}
    flow.points, flow.fitting = flow.points or 0, flow.fitting or 0
    flow.unfitting = flow.unfitting or 0
    local standing, held = weigh_datagram(flow, side, tvb:raw(), tvb:reported_len())
    held.packet, held.time = pinfo.number, capture_time(pinfo)
    held.cut = tvb:reported_len() > tvb:len()
    flow.standing = standing
    if standing == "ours" or standing == "foreign" then
        decide_datagrams(flow, standing)
    elseif #flow.held >= MAX_HELD_DATAGRAMS then
        decide_datagrams(flow, standing == "probable" and "ours" or "foreign")
    end
end

local function show_datagram(flow, side, tvb, pinfo, tree)
    local message = tvb:raw()
    local record = recall(pinfo, function()
        return observe({
            channel = flow.channel, side = side, message = message,
            time = capture_time(pinfo), cut = tvb:reported_len() > tvb:len(),
        })
    end)
    show(tree, pinfo, tvb(), message, record)
end

-- "Decode As": the flow is ours.
function ministream.dissector(tvb, pinfo, tree)
    local flow, side = flow_of(pinfo, "udp")
    if not flow.verdict then
        if flow.held and #flow.held > 0 then
            decide_datagrams(flow, "ours")
        else
            flow.verdict, flow.channel = "ours", new_channel("udp", "unknown")
        end
    end
    if tvb:len() > 0 or tvb:reported_len() == 0 then
        show_datagram(flow, side, tvb, pinfo, tree)
    end
    return tvb:len()
end

local function recognise_udp(tvb, pinfo, tree)
    local flow, side = flow_of(pinfo, "udp")
    local was_open = not flow.verdict
    if was_open and not pinfo.visited then
        hold_datagram(flow, side, tvb, pinfo)
    elseif was_open then
        -- There is no more to come.
        decide_datagrams(flow, flow.standing == "probable" and "ours" or "foreign")
    end
    if flow.verdict ~= "ours" then
        return false
    end
    pinfo.conversation = ministream
    if was_open and not pinfo.visited then
        show(tree, pinfo, tvb(), tvb:raw(), remembered[pinfo.number][1])
        return true
    end
    show_datagram(flow, side, tvb, pinfo, tree)
    return true
end

-- TCP ----------------------------------------------------------------------------------

-- From now on messages of a flow may have passed unseen.
local function note_gap(flow)
    flow.gaps = true
    if flow.channel then
        flow.channel.gaps = true
    end
    for _, session in pairs(flow.sessions) do
        session.channel.gaps = true
    end
end

-- Asks for the bytes of a message that goes on in the next segment.
local function ask_for_more(pinfo, position, missing)
    if pinfo.can_desegment > 0 then
        pinfo.desegment_offset = position
        pinfo.desegment_len = missing or DESEGMENT_ONE_MORE_SEGMENT
    end
end

-- Cuts a stream into frames and hands each to `take(offset, length)`.
-- `layout.header_bytes` is the length of a header, `layout.frame_bytes(bytes, at)` that
-- of the frame whose header is there, or nil when there is no such frame, and
-- `layout.plausible(bytes, at)` whether a frame may begin there: after bytes that are
-- no message, the next segment that begins with one is where it goes on.
local function cut(tvb, pinfo, tree, flow, side, layout, take)
    local bytes = tvb:raw()
    local position = layout.preamble and layout.preamble(bytes, side) or 0
    local skips = foresee(pinfo).skips
    if not pinfo.visited and flow.lost[side] then
        flow.lost[side] = not layout.plausible(bytes, 1 + position)
        skips = flow.lost[side]
    end
    if skips and next_place(pinfo) == 1 and not foresee(pinfo).code then
        skip(tree, pinfo, layout.proto, tvb(), nil)
        return
    end
    while position < #bytes do
        local left = #bytes - position
        if left < layout.header_bytes then
            return ask_for_more(pinfo, position)
        end
        local length = layout.frame_bytes(bytes, 1 + position)
        if not length then
            if not pinfo.visited then
                flow.lost[side] = true
                note_gap(flow)
            end
            return skip(tree, pinfo, layout.proto, tvb(position), layout.bad_length)
        end
        if left < length then
            return ask_for_more(pinfo, position, length - left)
        end
        take(position, length)
        position = position + length
    end
end

local function prefixed_layout(carrier, prefix_bytes)
    local layout = {
        proto = carriers[carrier], header_bytes = prefix_bytes, bad_length = "tcp.bad_prefix",
    }
    local function message_bytes(bytes, at)
        local length = prefix_bytes == 4 and be32(bytes, at) or be16(bytes, at)
        return length >= 1 and length <= MAX_PREFIXED_BYTES and length or nil
    end
    function layout.frame_bytes(bytes, at)
        local length = message_bytes(bytes, at)
        return length and prefix_bytes + length
    end
    function layout.plausible(bytes, at)
        if #bytes - at + 1 <= prefix_bytes then
            return false
        end
        local length = message_bytes(bytes, at)
        return length and looks_like_message(bytes:sub(at + prefix_bytes, at + prefix_bytes + length - 1), length)
    end
    return layout
end

local LAYOUTS = {
    tcp_u32be = prefixed_layout("tcp_u32be", 4),
    tcp_u16be = prefixed_layout("tcp_u16be", 2),
}

local function show_in_stream(flow, side, pinfo, tree, range)
    local message = range:raw()
    if not flow.channel then
        -- The first message on a connection is a SYN.
        local start = message:byte(1) == 0xa1 and "captured" or "missed"
        flow.channel = new_channel(flow.carrier, start)
    end
    local record = recall(pinfo, function()
        return observe({
            channel = flow.channel, side = side, message = message, time = capture_time(pinfo),
        })
    end)
    show(tree, pinfo, range, message, record)
end

local function dissect_prefixed(flow, side, tvb, pinfo, tree)
    local layout = LAYOUTS[flow.carrier]
    cut(tvb, pinfo, tree, flow, side, layout, function(position, length)
        local range = tvb(position + layout.header_bytes, length - layout.header_bytes)
        show_in_stream(flow, side, pinfo, tree, range)
    end)
end

local function dissect_segment(flow, side, tvb, pinfo, tree)
    -- What a snap length cut is not the message that was sent.
    if tvb:len() > 0 and tvb:len() == tvb:reported_len() then
        show_in_stream(flow, side, pinfo, tree, tvb())
    end
end

-- I2CP ---------------------------------------------------------------------------------

local function i2cp_layout(flow)
    local layout = { proto = carriers.i2cp, header_bytes = 5, bad_length = "i2cp.bad_frame" }
    -- What an application sends begins with 2a; no frame does.
    function layout.preamble(bytes, side)
        return side == flow.application and bytes:byte(1) == 0x2a and 1 or 0
    end
    function layout.frame_bytes(bytes, at)
        local length = be32(bytes, at)
        return length <= MAX_I2CP_BODY_BYTES and 5 + length or nil
    end
    function layout.plausible(bytes, at)
        if #bytes - at + 1 < 5 then
            return false
        end
        return layout.frame_bytes(bytes, at) and I2CP_TYPES[bytes:byte(at + 4)] ~= nil
    end
    return layout
end

-- A session's nickname, of the options in the body of CreateSession.
local function nickname_of(body)
    local destination = destination_bytes(body)
    if not destination or #body < destination + 2 then
        return nil
    end
    local at = destination + 3
    local options, last = {}, math.min(#body, at + be16(body, destination + 1) - 1)
    local function text()
        local length = body:byte(at)
        if not length or at + length > last then
            return nil
        end
        at = at + 1 + length
        return body:sub(at - length, at - 1)
    end
    while at <= last do
        local key = text()
        at = at + 1
        local value = key and text()
        at = at + 1
        if not value then
            break
        end
        options[key] = value
    end
    return options["inbound.nickname"] or options["outbound.nickname"]
end

local function open_session(flow, wire_id, start, name)
    local session = { number = session_count, name = name }
    session_count = session_count + 1
    local channel = new_channel("i2cp", start, session)
    channel.gaps = flow.gaps
    flow.sessions[wire_id] = { channel = channel }
    return flow.sessions[wire_id]
end

-- Follows which sessions there are.
local function follow_session(flow, body_type, body)
    if body_type == 1 and destination_bytes(body) then
        flow.requested = { name = nickname_of(body) }
    elseif body_type == 3 and #body == 2 then
        flow.sessions[be16(body, 1)] = nil
    elseif body_type == 20 and #body == 3 then
        local wire_id, status = be16(body, 1), body:byte(3)
        if status == 1 then
            local start = flow.requested and "captured" or "missed"
            open_session(flow, wire_id, start, flow.requested and flow.requested.name)
            flow.requested = nil
        elseif status == 0 then
            flow.sessions[wire_id] = nil
        elseif status == 3 or status == 4 then
            flow.requested = nil
        end
    end
end

-- Session, addressee and place of the gzip in a body, or nil when it carries none.
local function payload_of(body_type, body)
    local at, addressee
    if body_type == 5 or body_type == 36 then
        local length = destination_bytes(body:sub(3))
        if not length then
            return nil
        end
        addressee, at = body:sub(3, 2 + length), 3 + length
    elseif body_type == 31 then
        at = 7
    else
        return nil
    end
    if #body < at + 3 then
        return nil
    end
    local length = be32(body, at)
    if #body < at + 3 + length then
        return nil
    end
    return { session = be16(body, 1), addressee = addressee, offset = at + 3, length = length }
end

local function inflate(range, name)
    local renamed, method = pcall(function() return range.uncompress_zlib end)
    if not renamed then
        method = range.uncompress
    end
    return method(range, name)
end

-- The range of the message in a gzip member, and the protocol number in its header.
-- The range is nil when the member cannot be read.
local function unwrap(range)
    local bytes = range:raw()
    if #bytes < 18 or bytes:sub(1, 3) ~= "\31\139\8" or bytes:byte(4) >= 0x20 then
        return nil
    end
    if le32(bytes, #bytes - 3) > MAX_INFLATED_BYTES then
        return nil
    end
    local inflated = inflate(range, "Ministreaming message")
    if not inflated then
        return nil
    end
    local message = inflated:raw()
    if #message ~= le32(bytes, #bytes - 3) or crc32(message) ~= le32(bytes, #bytes - 7) then
        return nil
    end
    return inflated, bytes:byte(10)
end

-- The channel of a message; nil when it is of another protocol. A session that carried
-- ministreaming once carries nothing else.
local function channel_of_message(flow, wire_id, protocol, message)
    local session = flow.sessions[wire_id]
    local like_ours = looks_like_message(message, #message)
    local ours = like_ours or session and session.is_ours
    if not ours and protocol ~= 0 and protocol ~= 0xff then
        return nil
    end
    if not session then
        local missed = flow.gaps or not flow.begun
        session = open_session(flow, wire_id, missed and "missed" or "unknown", nil)
    end
    session.is_ours = session.is_ours or like_ours
    return session.channel
end

local function show_i2cp_payload(flow, side, pinfo, tree, item, range, payload)
    local inflated, protocol, message
    if payload.length == 0 then
        inflated, protocol, message = range, 0, ""
    else
        inflated, protocol = unwrap(range(payload.offset, payload.length))
        message = inflated and inflated:raw()
    end
    if not inflated then
        item:add_proto_expert_info(experts["i2cp.unreadable_payload"])
        if not pinfo.visited then
            note_gap(flow)
        end
        return
    end
    local record = recall(pinfo, function()
        local channel = channel_of_message(flow, payload.session, protocol, message)
        if not channel then
            return {}
        end
        return observe({
            channel = channel, side = side == flow.application and 1 or 2, message = message,
            time = capture_time(pinfo), addressee = payload.addressee,
        })
    end)
    show(tree, pinfo, inflated, message, record)
end

local function dissect_i2cp(flow, side, tvb, pinfo, tree)
    flow.layout = flow.layout or i2cp_layout(flow)
    if not pinfo.visited and side == flow.application and tvb(0, 1):uint() == 0x2a then
        -- A connection begins, perhaps on the ports of an older one.
        flow.begun, flow.gaps, flow.lost, flow.sessions = true, false, {}, {}
    end
    cut(tvb, pinfo, tree, flow, side, flow.layout, function(position, length)
        local range = tvb(position + 5, length - 5 > 0 and length - 5 or nil)
        local body = length > 5 and range:raw() or ""
        local body_type = tvb(position + 4, 1):uint()
        local name = I2CP_TYPES[body_type] or ("type %d"):format(body_type)
        local item = tree:add(carriers.i2cp, tvb(position, length), "I2CP " .. name)
        if not pinfo.visited then
            follow_session(flow, body_type, body)
        end
        local payload = payload_of(body_type, body)
        if payload then
            show_i2cp_payload(flow, side, pinfo, tree, item, range, payload)
        else
            say(pinfo, "I2CP", name)
        end
    end)
end

-- Whose connection this is ------------------------------------------------------------

local DISSECTORS = {
    tcp_u32be = dissect_prefixed,
    tcp_u16be = dissect_prefixed,
    segment = dissect_segment,
    i2cp = dissect_i2cp,
}

for carrier, proto in pairs(carriers) do
    function proto.dissector(tvb, pinfo, tree)
        local flow, side = flow_of(pinfo, "tcp")
        flow.carrier = flow.carrier or carrier
        if carrier == "i2cp" and not flow.application then
            local from_router = pinfo.src_port == pinfo.match_uint and tvb(0, 1):uint() ~= 0x2a
            flow.application = from_router and 3 - side or side
        end
        DISSECTORS[flow.carrier](flow, side, tvb, pinfo, tree)
        return tvb:len()
    end
end

-- Whether bytes begin like an application's part of I2CP: its first byte, then the frame of
-- GetDate or CreateSession.
local function begins_like_i2cp(bytes)
    if bytes:byte(1) ~= 0x2a then
        return false
    end
    local rest = bytes:sub(2)
    if #rest < 5 then
        return ("\0\0"):sub(1, #rest) == rest:sub(1, 2) and "more"
    end
    local body_type = rest:byte(5)
    return be32(rest, 1) <= MAX_I2CP_BODY_BYTES and (body_type == 32 or body_type == 1)
end

-- Whether bytes begin with a message behind its length. A message that begins with text, or
-- whose type says nothing of its length, is believed behind 4 bytes only.
local function begins_like_prefixed(bytes, prefix_bytes)
    local head_bytes = prefix_bytes + 4
    if #bytes < head_bytes then
        local zeros = ("\0\0"):sub(1, #bytes)
        return prefix_bytes == 4 and bytes:sub(1, 2) == zeros and "more"
    end
    local layout = LAYOUTS[prefix_bytes == 4 and "tcp_u32be" or "tcp_u16be"]
    if not layout.plausible(bytes, 1) then
        return false
    end
    local message = bytes:sub(1 + prefix_bytes)
    local kind = TYPES[message:byte(1)].name
    if kind == "syn" or kind == "ack" or kind == "close" then
        return not is_text(message:sub(1, 4))
    end
    return prefix_bytes == 4 and kind == "data" and not is_text(message:sub(1, 4))
end

-- Whether a segment is a SYN message and nothing more.
local function is_syn(bytes)
    return bytes:byte(1) == 0xa1 and #bytes >= 4 + MIN_DESTINATION_BYTES
        and destination_bytes(bytes:sub(5)) == #bytes - 4
end

-- The carrier of a connection by the first bytes of a segment, or "more".
local function carrier_of(bytes)
    local maybe = {}
    for _, trial in ipairs({
        { "i2cp", begins_like_i2cp(bytes) },
        { "tcp_u32be", begins_like_prefixed(bytes, 4) },
        { "tcp_u16be", begins_like_prefixed(bytes, 2) },
        { "segment", is_syn(bytes) },
    }) do
        if trial[2] == true then
            return trial[1]
        end
        maybe[#maybe + 1] = trial[2] == "more" and trial[1] or nil
    end
    return #maybe > 0 and "more" or nil
end

local function recognise_tcp(tvb, pinfo, tree)
    local flow, side = flow_of(pinfo, "tcp")
    if tvb:len() == 0 then
        return false
    end
    if not flow.carrier then
        local carrier = carrier_of(tvb:raw())
        if carrier == "more" and pinfo.can_desegment > 0 then
            ask_for_more(pinfo, 0)
            return true
        elseif not carrier or carrier == "more" then
            -- Should it be ours all the same, it does not go on at a message.
            flow.lost[side] = true
            return false
        end
        flow.carrier, flow.application = carrier, side
    end
    pinfo.conversation = carriers[flow.carrier]
    DISSECTORS[flow.carrier](flow, side, tvb, pinfo, tree)
    return true
end

ministream:register_heuristic("udp", recognise_udp)
ministream:register_heuristic("tcp", recognise_tcp)

local udp_ports, tcp_ports = DissectorTable.get("udp.port"), DissectorTable.get("tcp.port")
udp_ports:add_for_decode_as(ministream)
for _, proto in pairs(carriers) do
    tcp_ports:add_for_decode_as(proto)
end
tcp_ports:add(7654, carriers.i2cp)
