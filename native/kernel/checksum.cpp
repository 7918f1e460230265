#include "checksum.h"

#include <cstring>

namespace vigil {
namespace {

constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87ULL, prime2 = 0xC2B2AE3D27D4EB4FULL, prime3 = 0x165667B19E3779F9ULL,
                        prime4 = 0x85EBCA77C2B2AE63ULL, prime5 = 0x27D4EB2F165667C5ULL;

std::uint64_t turn(std::uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

template <typename Word>
std::uint64_t read(const std::uint8_t* p) {
    Word word;
    std::memcpy(&word, p, sizeof(word));
    return word;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t input) { return turn(lane + input * prime2, 31) * prime1; }

std::uint64_t merge(std::uint64_t hash, std::uint64_t lane) { return (hash ^ round(0, lane)) * prime1 + prime4; }

}  // namespace

std::uint64_t checksum(const void* data, std::size_t size, std::uint64_t seed) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    const std::uint8_t* const end = p + size;
    std::uint64_t hash = seed + prime5;
    if (size >= 32) {
        std::uint64_t lanes[4] = {seed + prime1 + prime2, seed + prime2, seed, seed - prime1};
        for (; end - p >= 32; p += 32) {
            for (int i = 0; i < 4; i++) lanes[i] = round(lanes[i], read<std::uint64_t>(p + 8 * i));
        }
        hash = turn(lanes[0], 1) + turn(lanes[1], 7) + turn(lanes[2], 12) + turn(lanes[3], 18);
        for (const std::uint64_t lane : lanes) hash = merge(hash, lane);
    }
    hash += size;
    for (; end - p >= 8; p += 8) hash = turn(hash ^ round(0, read<std::uint64_t>(p)), 27) * prime1 + prime4;
    if (end - p >= 4) {
        hash = turn(hash ^ (read<std::uint32_t>(p) * prime1), 23) * prime2 + prime3;
        p += 4;
    }
    for (; p < end; p++) hash = turn(hash ^ (*p * prime5), 11) * prime1;
    hash = (hash ^ (hash >> 33)) * prime2;
    hash = (hash ^ (hash >> 29)) * prime3;
    return hash ^ (hash >> 32);
}

}  // namespace vigil
