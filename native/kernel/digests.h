// Exact look-up: digests of one width, sorted, with a directory over their leading bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "status.h"

namespace vigil {

constexpr std::size_t largest_digest = 256;  // bytes
constexpr std::size_t largest_digests = 0xFFFFFFFEu;

struct DigestHead {
    std::uint8_t magic[8];
    std::uint32_t version, width;         // width in bytes
    std::uint64_t length, rows;           // of the file; of the table
    std::uint32_t directory_bits, reserved;
    std::uint64_t directory_at, digests_at, ids_at;
    std::uint64_t body_checksum;
    std::uint64_t head_checksum;          // of the head with this field as zero
    std::uint8_t rest[256 - 80];
};
static_assert(sizeof(DigestHead) == 256, "layout");

struct DigestView {
    const std::uint8_t* base = nullptr;
    DigestHead head;
};

struct DigestsFound {
    std::vector<std::int64_t> offsets;
    std::vector<std::uint64_t> ids;
};

std::size_t digests_length(std::size_t rows, std::size_t width);
// Writes a whole file to `file` (zeroed, aligned to 8, digests_length bytes) and looks each digest up again.
Status digests_build(const std::uint8_t* digests, const std::uint64_t* ids, std::size_t rows, std::size_t width, unsigned threads,
                     std::uint8_t* file);
Status digests_open(const std::uint8_t* data, std::size_t size, DigestView* view);
Status digests_verify(const DigestView& view);
// Ids of each query, sorted. Safe on any bytes behind the head.
Status digests_search(const DigestView& view, const std::uint8_t* queries, std::size_t count, DigestsFound* found);

}  // namespace vigil
